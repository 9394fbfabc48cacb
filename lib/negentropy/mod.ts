/** Negentropy protocol V1 (NIP-77, appendix): set reconciliation, both roles. Pure; knows nobody. */
export { hexOf, type Malformed, type MalformedReason } from "./bytes.ts";
export { ItemRoom } from "./item_room.ts";
export { createItemSet, ID_SIZE, type ItemSet, type SetItem } from "./item_set.ts";
export {
  type Findings,
  FRAME_LIMIT,
  initiate,
  isUnsupportedVersion,
  reconcile,
  respond,
  VERSION_MESSAGE,
} from "./reconcile.ts";
export { runSliced, type Sliced } from "./sliced.ts";
