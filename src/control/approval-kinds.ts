/** Kinds of calls that can want a second person, as the setting `approvals` names them. */
export const approvalKinds = ['payments', 'adjustments', 'settlements', 'suspense', 'keys'] as const;
export type ApprovalKind = (typeof approvalKinds)[number];

export interface ApprovalPolicy {
  readonly kinds: readonly ApprovalKind[];
  /** Calls that name a smaller amount, in minor units of whatever currency, need nobody else; those without one always do. */
  readonly fromAmount: number;
}
