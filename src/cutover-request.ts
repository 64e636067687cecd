/** What a network asks with 0800 and DE70 201: the ingress sends it, the keeper of the links' business dates decides. */
export interface CutoverRequest {
  /** Number and name of the link. */
  readonly link: number;
  readonly name: string;
  /** DE15, MMDD: the date to go to; -1: the next one. */
  readonly settlementDate: number;
  /** DE7 and DE11: the same again is a repeat. */
  readonly transmission: number;
  readonly stan: number;
}
