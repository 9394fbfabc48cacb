import { PROGRAM_COMMIT, PROGRAM_NAME, PROGRAM_VERSION } from "../../config/mod.ts";
import type { StoredCounts } from "../../store/mod.ts";
import type { Unreadable } from "./git_tree.ts";

/** Names at the top of a backup. */
export const MANIFEST = "manifest.json";
/** Folder of a backup with the copy of the git data path. */
export const GIT_FOLDER = "git";
/** The database in a backup. */
export const DATABASE_FILE = "relay/relay.db";
/** The secret key in a backup, when it is included. */
export const KEY_FILE = ".relay-owner.nsec";

/** Version of the layout of a backup. */
const FORMAT = 1;
const MAX_MANIFEST_BYTES = 64 * 1024 * 1024;

/** What a backup says about itself. */
export interface Manifest {
  readonly format: number;
  readonly program: string;
  readonly version: string;
  /** Null when nobody knows from which commit the program was made. */
  readonly commit: string | null;
  /** ISO 8601. */
  readonly startedAt: string;
  readonly finishedAt: string;
  /** Null when the database is not included. */
  readonly database: { readonly schema: number; readonly bytes: number } & StoredCounts | null;
  readonly git: {
    /** Repositories that were copied. */
    readonly repositories: number;
    readonly files: number;
    readonly bytes: number;
    /** Of those, bytes shared with the data directory by hard links. */
    readonly linkedBytes: number;
    /** Repositories and folders that could not be read. */
    readonly unreadable: readonly Unreadable[];
  };
  readonly keyIncluded: boolean;
}

/** The manifest of this program for what was copied. */
export function manifestOf(
  facts: Omit<Manifest, "format" | "program" | "version" | "commit">,
): Manifest {
  return {
    format: FORMAT,
    program: PROGRAM_NAME,
    version: PROGRAM_VERSION,
    commit: PROGRAM_COMMIT ?? null,
    ...facts,
  };
}

/** Reads the manifest of the backup in `directory`, or says what is wrong with it. */
export async function readManifest(directory: string): Promise<Manifest | string> {
  const path = `${directory}/${MANIFEST}`;
  const place = await Deno.stat(directory).catch(() => undefined);
  if (!place) return `${directory} does not exist`;
  if (!place.isDirectory) {
    return `${directory} is a file: unpack it, and name the directory it is unpacked in`;
  }
  const entry = await Deno.stat(path).catch(() => undefined);
  if (!entry?.isFile) return `${path} is missing: this is no backup, or an incomplete one`;
  if (entry.size > MAX_MANIFEST_BYTES) return `${path} is too large`;
  let value: unknown;
  try {
    value = JSON.parse(await Deno.readTextFile(path));
  } catch {
    return `${path} cannot be read`;
  }
  const manifest = value as Partial<Manifest> | null;
  if (manifest?.program !== PROGRAM_NAME || typeof manifest.format !== "number") {
    return `${path} is not a manifest of ${PROGRAM_NAME}`;
  }
  if (manifest.format > FORMAT) {
    return `${path}: backup format ${manifest.format} is newer than this program knows (${FORMAT})`;
  }
  const isWhole = Array.isArray(manifest.git?.unreadable) && manifest.database !== undefined;
  return isWhole ? manifest as Manifest : `${path} is not a whole manifest`;
}
