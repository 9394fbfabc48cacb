/**
 * A warning for runtimes known to read chunked request bodies without back-pressure, which git uses
 * for every push above 1 MiB (docs/decisions/002-deno-version.md). Undefined when `version` is fine.
 */
export function runtimeWarning(version: string): string | undefined {
  const [major = 0, minor = 0] = version.split(".").map(Number);
  if (major < 2 || (major === 2 && minor < 8)) return undefined;
  return `Deno ${version} buffers pushes without bound; use the pinned version (see .deno-version)`;
}
