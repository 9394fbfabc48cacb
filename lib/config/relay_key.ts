import { dirname, resolve } from "node:path";
import { nsecEncode } from "nostr-tools/nip19";
import { encodeNpub } from "../nostr/mod.ts";
import { type Random, randomHex, readSmallFile, UnsuitableFile } from "../world/mod.ts";
import type { Config } from "./config.ts";
import { isSecretKey, pubkeyOfSecret, readSecretKey } from "./secret_key.ts";

/** The relay's identity: NIP-11 and authentication towards other relays. */
export interface RelayKey {
  /** 32 bytes. Never log, print or pass on. */
  readonly secretKey: Uint8Array;
  /** 64 lower-case hex digits. */
  readonly pubkey: string;
  readonly npub: string;
  /** `option`: given as a value; `file`: read; `generated`: written to the file just now; `temporary`: kept in memory only. */
  readonly source: "option" | "file" | "generated" | "temporary";
}

/** The options that decide about the key. */
export type RelayKeyConfig = Pick<
  Config,
  "relayOwnerNsec" | "relayOwnerNsecFile" | "keyFileIsExplicit" | "databaseBackend"
>;

/** Result of {@link loadRelayKey}; a problem is one sentence and means exit code 1. */
export type LoadedRelayKey =
  | { readonly ok: true; readonly key: RelayKey; readonly warnings: readonly string[] }
  | { readonly ok: false; readonly problem: string };

/** Result of {@link findRelayKey}: a key, a problem, or nothing there yet. */
export type FoundRelayKey = LoadedRelayKey | {
  readonly ok: true;
  readonly key: undefined;
  readonly warnings: readonly [];
};

/** Longest file that is read as a key. */
const MAX_KEY_FILE_BYTES = 4096;
/** Attempts to draw a valid scalar; one is enough except about once in 2^128 draws. */
const MAX_DRAWS = 8;

/**
 * The key from the option, from the key file, or a new one. A new key is written to the default file
 * with mode 0600, exclusively; with the memory backend it is not written at all.
 */
export async function loadRelayKey(
  config: RelayKeyConfig,
  cwd: string,
  random: Random,
): Promise<LoadedRelayKey> {
  const found = await findRelayKey(config, cwd);
  if (!found.ok || found.key !== undefined) return found as LoadedRelayKey;
  const secretKey = generateSecretKey(random);
  if (config.databaseBackend === "memory") {
    return { ok: true, key: keyOfSecret(secretKey, "temporary"), warnings: [] };
  }
  const path = resolve(cwd, config.relayOwnerNsecFile);
  const written = await writeKeyFile(path, nsecEncode(secretKey), random);
  if (written === "failed") return { ok: false, problem: `Failed to write relay owner key file ${path}` };
  // Another process was faster: its key is the identity of this directory.
  if (written === "exists") return await readKeyFile(path, true) as LoadedRelayKey;
  const key = keyOfSecret(secretKey, "generated");
  return { ok: true, key, warnings: [`new identity generated - back this file up: ${path} (${key.npub})`] };
}

/** The key from the option or the file, without changing anything. */
export async function findRelayKey(config: RelayKeyConfig, cwd: string): Promise<FoundRelayKey> {
  const given = config.relayOwnerNsec && readSecretKey(config.relayOwnerNsec.reveal());
  if (given && !config.keyFileIsExplicit) {
    return { ok: true, key: keyOfSecret(given, "option"), warnings: [] };
  }
  const file = await readKeyFile(resolve(cwd, config.relayOwnerNsecFile), config.keyFileIsExplicit);
  if (!given || !file.ok || file.key === undefined) return file;
  if (file.key.pubkey !== pubkeyOfSecret(given)) {
    return { ok: false, problem: "NGIT_RELAY_OWNER_NSEC and NGIT_RELAY_OWNER_NSEC_FILE are different keys" };
  }
  return { ok: true, key: keyOfSecret(given, "option"), warnings: file.warnings };
}

async function readKeyFile(path: string, mustExist: boolean): Promise<FoundRelayKey> {
  let text: string;
  let info: Deno.FileInfo;
  try {
    info = await Deno.stat(path);
    const isTooLarge = info.isFile && info.size > MAX_KEY_FILE_BYTES;
    text = isTooLarge ? "" : await readSmallFile(path, MAX_KEY_FILE_BYTES);
  } catch (error) {
    if (error instanceof Deno.errors.NotFound && !mustExist) {
      return { ok: true, key: undefined, warnings: [] };
    }
    return {
      ok: false,
      problem: `Failed to read relay owner key file ${path}: ${
        error instanceof UnsuitableFile
          ? error.message
          : error instanceof Error
          ? error.name
          : "unknown error"
      }`,
    };
  }
  const secretKey = readSecretKey(text);
  if (!secretKey) return { ok: false, problem: `Invalid nsec in relay owner key file ${path}` };
  return {
    ok: true,
    key: keyOfSecret(secretKey, "file"),
    warnings: permissionWarnings(path, info, currentUid()),
  };
}

/** Bits a key file of ours must not have, and one of root's: a service reads that one through its group or an ACL. */
const FORBIDDEN = { own: 0o077, root: 0o037 } as const;

/** What is wrong with who may read the key file, as seen by the user `uid` (null: not known). */
export function permissionWarnings(
  path: string,
  info: Pick<Deno.FileInfo, "mode" | "uid">,
  uid: number | null,
): readonly string[] {
  const warnings: string[] = [];
  const isRoots = info.uid === 0 && uid !== 0;
  if (info.mode !== null && (info.mode & FORBIDDEN[isRoots ? "root" : "own"]) !== 0) {
    const mode = (info.mode & 0o777).toString(8).padStart(4, "0");
    warnings.push(`relay owner key file ${path} is accessible to others (mode ${mode}); use chmod 600`);
  }
  if (info.uid !== null && uid !== null && info.uid !== uid && !isRoots) {
    warnings.push(`relay owner key file ${path} belongs to another user (uid ${info.uid})`);
  }
  return warnings;
}

function currentUid(): number | null {
  try {
    return Deno.uid();
  } catch {
    return null; // not permitted to know: the check of the owner is a courtesy
  }
}

function generateSecretKey(random: Random): Uint8Array {
  for (let draw = 0; draw < MAX_DRAWS; draw++) {
    const bytes = random.bytes(32);
    if (isSecretKey(bytes)) return bytes;
  }
  throw new Error("cannot generate a key: the source of randomness returns no usable bytes");
}

/**
 * Writes `text` so that the file is either absent or complete, survives a power cut, and never
 * replaces another one: a hard link to the finished temporary file fails when the name is taken.
 */
async function writeKeyFile(
  path: string,
  text: string,
  random: Random,
): Promise<"written" | "exists" | "failed"> {
  const temporary = `${path}.${randomHex(random, 8)}.tmp`;
  try {
    using file = await Deno.open(temporary, { write: true, createNew: true, mode: 0o600 });
    let rest = new TextEncoder().encode(text);
    while (rest.length > 0) rest = rest.subarray(await file.write(rest));
    await file.sync();
    await giveName(temporary, path);
  } catch (error) {
    return error instanceof Deno.errors.AlreadyExists ? "exists" : "failed";
  } finally {
    await Deno.remove(temporary).catch(() => {}); // absent when it could not be created
  }
  await syncDirectory(dirname(path));
  return "written";
}

/** Names the finished file without replacing another one. */
async function giveName(temporary: string, path: string): Promise<void> {
  try {
    await Deno.link(temporary, path);
  } catch (error) {
    if (error instanceof Deno.errors.AlreadyExists) throw error;
    // A file system without hard links: looking first leaves a gap that only two first starts could hit.
    if (await Deno.lstat(path).then(() => true, () => false)) throw new Deno.errors.AlreadyExists(path);
    await Deno.rename(temporary, path);
  }
}

async function syncDirectory(path: string): Promise<void> {
  try {
    using directory = await Deno.open(path, { read: true });
    await directory.sync();
  } catch {
    // Some file systems cannot sync a directory; the file itself has been synced.
  }
}

function keyOfSecret(secretKey: Uint8Array, source: RelayKey["source"]): RelayKey {
  const pubkey = pubkeyOfSecret(secretKey);
  return { secretKey, pubkey, npub: encodeNpub(pubkey), source };
}
