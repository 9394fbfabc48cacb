import manifest from "../../deno.json" with { type: "json" };
import build from "../build.json" with { type: "json" };
import importMap from "../import_map.json" with { type: "json" };

/** Name of the program, as in `--version` and NIP-11 `software`. */
export const PROGRAM_NAME = "ngit-grasp";

/** Semantic version. */
export const PROGRAM_VERSION: string = manifest.version;

/** Commit the program was packed from; undefined when it runs from a working copy. */
export const PROGRAM_COMMIT: string | undefined = isCommit(build.commit) ? build.commit : undefined;

/** A clock before this instant (ms since the epoch) is wrong: the program did not exist yet. */
export const RELEASED_AT = Date.UTC(2026, 10, 1);

function isCommit(text: string): boolean {
  return /^[0-9a-f]{7,64}(?:-dirty)?$/.test(text);
}

/** Text of `--version`: first line name and version, then the engines. Reads nothing. */
export function versionText(schemaVersion: number): string {
  const libsql = importMap.imports["@libsql/client"].split("@").at(-1);
  return [
    `${PROGRAM_NAME} ${PROGRAM_VERSION}`,
    `deno ${Deno.version.deno} (v8 ${Deno.version.v8}, typescript ${Deno.version.typescript})`,
    `libsql client ${libsql}`,
    `database schema ${schemaVersion}`,
  ].join("\n") + "\n";
}
