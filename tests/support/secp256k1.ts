import { secp256k1Path } from "../../lib/nostr/mod.ts";

/** Path of this machine's libsecp256k1; tests of its use are skipped without. */
export const installedSecp256k1: string | undefined = await secp256k1Path("");

/** End of the name of such a test: why it is skipped. */
export const withoutSecp256k1 = installedSecp256k1 ? "" : " (skipped: libsecp256k1 is not installed)";
