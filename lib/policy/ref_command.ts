/** One ref update of a push: object ids of 40 hex digits, zeros meaning "none". */
export interface RefCommand {
  readonly oldOid: string;
  readonly newOid: string;
  readonly ref: string;
}
