/** What a network asks about its link with 0800: the ingress sends it, and the control thread makes it durable before it is answered. */

/** DE70 201: the link goes on to another business date. */
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

/** DE70 161: the next key of the link's MACs. */
export interface LinkKey {
  /** Number and name of the link. */
  readonly link: number;
  readonly name: string;
  /** The key of the link file that it follows, by its name and check value: under another one it means nothing. */
  readonly base: string;
  /** Key block (X9.143): the key under the link's key for exchanges. */
  readonly block: string;
  /** Check value of the key. */
  readonly kcv: string;
  /** False when the network has sent it, true when its first message under it has come. */
  readonly taken: boolean;
}
