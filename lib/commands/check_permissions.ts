import { accessFlags, type Grant, type NeededAccess } from "./access.ts";
import { causeOf, type CheckResult, resultsOf } from "./check_result.ts";
import type { NativeModule } from "./native_module.ts";

/** Every permission the server needs is granted, and nothing that is broader. It can do without `optional`. */
export async function checkPermissions(
  needed: NeededAccess,
  module: NativeModule,
  optional: string | undefined,
): Promise<readonly CheckResult[]> {
  const { ok, warn, fail } = resultsOf("permissions");
  const missing: string[] = [];
  for (const grant of needed.grants) missing.push(...await missingOf(withoutValue(grant, optional), module));
  const excess = await broaderThan(needed);
  const results = missing.map((flag) => fail(`missing permission: ${flag}`));
  if (excess.length > 0) results.push(warn(`broader than needed (as with -A): ${excess.join(" ")}`));
  return results.length > 0 ? results : [ok("exactly what is needed")];
}

function withoutValue({ name, values }: Grant, value: string | undefined): Grant {
  return { name, values: values?.filter((other) => name !== "ffi" || other !== value) };
}

/** Flags for the values that are not granted. */
async function missingOf(grant: Grant, module: NativeModule): Promise<readonly string[]> {
  const { name, values } = grant;
  const flags: string[] = [];
  const isModule = (value: string | undefined) =>
    name === "ffi" && (value === undefined || value === module.path);
  if (name === "ffi" && module.problem !== undefined) {
    flags.push(`--allow-ffi=${module.path ?? "<libSQL module>"}`);
  }
  for (const value of values ?? [undefined]) {
    if (isModule(value) || await isGranted(descriptorOf(name, value))) continue;
    const one = { name, values: value === undefined ? undefined : [value] };
    flags.push(...accessFlags({ grants: [one], deniedNet: [] }));
  }
  return flags;
}

function descriptorOf(name: Grant["name"], value: string | undefined): Deno.PermissionDescriptor {
  if (value === undefined) return { name };
  switch (name) {
    case "net":
      return { name, host: value };
    case "run":
      return { name, command: value };
    case "env":
      // A pattern cannot be asked for, what it matches can.
      return { name, variable: value.replace("*", "DOMAIN") };
    case "sys":
      // The runtime knows more kinds than its type declarations.
      return { name, kind: value } as unknown as Deno.PermissionDescriptor;
    default:
      return { name, path: value };
  }
}

async function isGranted(descriptor: Deno.PermissionDescriptor): Promise<boolean> {
  try {
    return (await Deno.permissions.query(descriptor)).state === "granted";
  } catch (error) {
    // A kind this runtime does not know cannot be missing.
    return !causeOf(error).includes("denied");
  }
}

/** Permissions that are granted without limit though a limited one would do. */
async function broaderThan({ grants }: NeededAccess): Promise<readonly string[]> {
  const broader: string[] = [];
  for (const { name, values } of grants) {
    if (values !== undefined && await isGranted({ name })) broader.push(`--allow-${name}`);
  }
  return broader;
}
