import { type BindAddress, formatAddress } from "../config/mod.ts";
import { causeOf, type CheckResult, resultsOf } from "./check_result.ts";

/** What the server will ask the runtime for. */
export interface NeededAccess {
  readonly bindAddress: BindAddress | undefined;
  /** Absolute paths that are read and written. */
  readonly dataPaths: readonly string[];
  /** Absolute paths that are only read. */
  readonly readPaths: readonly string[];
  /** git, a name or a path. */
  readonly program: string | undefined;
  readonly needsFreeSpace: boolean;
  readonly needsDatabase: boolean;
}

/** Every permission the server needs is granted, and nothing that is broader. */
export async function checkPermissions(needed: NeededAccess): Promise<readonly CheckResult[]> {
  const { ok, warn, fail } = resultsOf("permissions");
  const missing: string[] = [];
  for (const { flag, descriptor } of neededPermissions(needed)) {
    if (!await isGranted(descriptor)) missing.push(flag);
  }
  if (needed.needsDatabase && !await databaseLoads()) missing.push("--allow-ffi=<libSQL module>");
  const excess = await broaderThanNeeded();
  const results = missing.map((flag) => fail(`missing permission: ${flag}`));
  if (excess.length > 0) results.push(warn(`broader than needed (as with -A): ${excess.join(" ")}`));
  return results.length > 0 ? results : [ok("exactly what is needed")];
}

interface NeededPermission {
  readonly flag: string;
  readonly descriptor: Deno.PermissionDescriptor;
}

function neededPermissions(needed: NeededAccess): readonly NeededPermission[] {
  const list: NeededPermission[] = [];
  if (needed.bindAddress) {
    const host = formatAddress(needed.bindAddress);
    list.push({ flag: `--allow-net=${host}`, descriptor: { name: "net", host } });
  }
  for (const path of [...needed.dataPaths, ...needed.readPaths]) {
    list.push({ flag: `--allow-read=${path}`, descriptor: { name: "read", path } });
  }
  for (const path of needed.dataPaths) {
    list.push({ flag: `--allow-write=${path}`, descriptor: { name: "write", path } });
  }
  if (needed.program !== undefined) {
    const command = needed.program;
    list.push({ flag: `--allow-run=${command}`, descriptor: { name: "run", command } });
  }
  list.push({ flag: "--allow-env=NGIT_*", descriptor: { name: "env", variable: "NGIT_DOMAIN" } });
  if (needed.needsFreeSpace) {
    // The runtime knows this kind, its type declarations do not.
    const descriptor = { name: "sys", kind: "statfs" } as unknown as Deno.PermissionDescriptor;
    list.push({ flag: "--allow-sys=statfs", descriptor });
  }
  return list;
}

async function isGranted(descriptor: Deno.PermissionDescriptor): Promise<boolean> {
  try {
    return (await Deno.permissions.query(descriptor)).state === "granted";
  } catch (error) {
    // A kind this runtime does not know cannot be missing.
    return !causeOf(error).includes("denied");
  }
}

async function broaderThanNeeded(): Promise<readonly string[]> {
  const names = ["read", "write", "run", "env", "sys", "ffi"] as const;
  const granted = await Promise.all(names.map((name) => isGranted({ name })));
  return names.filter((_, index) => granted[index]).map((name) => `--allow-${name}`);
}

/** Proves that the native module may be loaded: a grant for one file cannot be asked for by name. */
async function databaseLoads(): Promise<boolean> {
  try {
    const { createClient } = await import("@libsql/client");
    const client = createClient({ url: ":memory:" });
    await client.execute("SELECT 1");
    client.close();
    return true;
  } catch {
    return false;
  }
}
