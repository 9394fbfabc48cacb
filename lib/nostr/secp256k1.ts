import { mayOpenLibrary, openSystemLibrary, systemLibraryPath } from "../world/mod.ts";
import { BIP340_VECTORS } from "./bip340_vectors.ts";

/** The system's libsecp256k1, opened and tried. */
export interface Secp256k1 {
  /** The file it was loaded from. */
  readonly path: string;
  readonly verify: SchnorrVerify;
  /** Unloads it; `verify` throws from then on. */
  close(): void;
}

/** True when `signature` over the 32-byte `message` is `publicKey`'s (BIP-340). All are hex; other lengths are false. */
export type SchnorrVerify = (publicKey: string, message: string, signature: string) => boolean;

/** The library, or the sentence an operator has to read; neither when there is none or it is not wanted. */
export interface OpenedSecp256k1 {
  readonly library?: Secp256k1;
  readonly problem?: string;
}

/** Setting of the library that keeps it from being used. */
export const NO_LIBRARY = "off";

/**
 * The versions whose two calls are the same: 0.2 (`so.1`), 0.3 to 0.5 (`so.2`), 0.6 (`so.5`), 0.7 (`so.6`).
 * Only absolute paths: nothing in the working directory or the environment decides what is loaded.
 */
const SONAMES = [6, 5, 2, 1];
const USUAL_PATHS: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  linux: [
    `/usr/lib/${Deno.build.arch}-linux-gnu`,
    "/usr/lib64",
    "/usr/lib",
    "/usr/local/lib",
    "/run/current-system/sw/lib",
  ].flatMap((directory) => SONAMES.map((version) => `${directory}/libsecp256k1.so.${version}`)),
  darwin: ["/opt/homebrew/lib", "/usr/local/lib"].flatMap((directory) =>
    SONAMES.map((version) => `${directory}/libsecp256k1.${version}.dylib`)
  ),
};

const SYMBOLS = {
  // Not used: before 0.2, which has it, the context below was not enough and the library would abort.
  secp256k1_context_static: { type: "pointer" },
  secp256k1_context_create: { parameters: ["u32"], result: "pointer" },
  secp256k1_context_destroy: { parameters: ["pointer"], result: "void" },
  secp256k1_xonly_pubkey_parse: { parameters: ["pointer", "buffer", "buffer"], result: "i32" },
  secp256k1_schnorrsig_verify: {
    parameters: ["pointer", "buffer", "buffer", "usize", "buffer"],
    result: "i32",
  },
} as const;

/** Size of the library's own form of a public key, fixed by its ABI. */
const PARSED_KEY_BYTES = 64;
/** `SECP256K1_CONTEXT_NONE`: the context for all purposes. */
const CONTEXT_NONE = 1;

/**
 * Opens the library that `setting` names: an absolute path, nothing for the `usual` places, or `off`. It is
 * trusted once it answers BIP-340's test vectors right.
 */
export function openSecp256k1(setting: string, usual = usualPaths()): OpenedSecp256k1 {
  if (setting === NO_LIBRARY) return {};
  if (setting !== "" && !mayOpenLibrary(setting)) {
    return { problem: `${setting} may not be loaded: missing permission --allow-ffi=${setting}` };
  }
  const paths = setting === "" ? usual : [setting];
  const opened = openSystemLibrary(paths, SYMBOLS);
  if (!opened) {
    // One that is there without a permission for it is not wanted.
    const unusable = setting !== "" ? setting : paths.find((path) => mayOpenLibrary(path) && exists(path));
    return unusable === undefined ? {} : {
      problem: `${unusable} cannot be loaded as libsecp256k1, version 0.2 or later with Schnorr signatures`,
    };
  }
  const { library, path } = opened;
  const context = library.symbols.secp256k1_context_create(CONTEXT_NONE);
  const verify = schnorrVerify(library.symbols, context);
  let isOpen = true;
  const secp256k1: Secp256k1 = {
    path,
    verify: (publicKey, message, signature) => {
      // What it was loaded to is no longer memory of ours.
      if (!isOpen) throw new Error("libsecp256k1 is closed");
      return verify(publicKey, message, signature);
    },
    close: () => {
      if (!isOpen) return;
      isOpen = false;
      library.symbols.secp256k1_context_destroy(context);
      library.close();
    },
  };
  if (answersVectors(verify)) return { library: secp256k1 };
  secp256k1.close();
  return { problem: `${path} is not used: it answers the test vectors of BIP-340 wrong` };
}

/** Where the library is that `setting` names, for a permission that names the file; undefined when there is none. */
export async function secp256k1Path(setting: string): Promise<string | undefined> {
  if (setting === NO_LIBRARY) return undefined;
  return await systemLibraryPath(setting === "" ? usualPaths() : [setting]);
}

function usualPaths(): readonly string[] {
  return USUAL_PATHS[Deno.build.os] ?? [];
}

function exists(path: string): boolean {
  // Never asks for a permission.
  if (Deno.permissions.querySync({ name: "read", path }).state !== "granted") return false;
  try {
    return Deno.statSync(path).isFile;
  } catch {
    return false;
  }
}

/** Whether a check tells the valid from the invalid signatures of BIP-340. */
export function answersVectors(verify: SchnorrVerify): boolean {
  return BIP340_VECTORS.every(({ publicKey, message, signature, isValid }) =>
    verify(publicKey, message, signature) === isValid
  );
}

function schnorrVerify(
  symbols: Deno.DynamicLibrary<typeof SYMBOLS>["symbols"],
  context: Deno.PointerValue,
): SchnorrVerify {
  const key = new Uint8Array(32);
  const parsedKey = new Uint8Array(PARSED_KEY_BYTES);
  const hash = new Uint8Array(32);
  const proof = new Uint8Array(64);
  return (publicKey, message, signature) =>
    readHex(publicKey, key) && readHex(message, hash) && readHex(signature, proof) &&
    symbols.secp256k1_xonly_pubkey_parse(context, parsedKey, key) === 1 &&
    symbols.secp256k1_schnorrsig_verify(context, proof, hash, 32n, parsedKey) === 1;
}

/** Fills all of `target`, or is false: nothing of an earlier call may be left in it. */
function readHex(hex: string, target: Uint8Array): boolean {
  if (hex.length !== 2 * target.length) return false;
  try {
    return target.setFromHex(hex).written === target.length;
  } catch {
    return false; // not hex
  }
}
