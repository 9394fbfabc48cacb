/** A library of the system that was opened, and the path that opened it. */
export interface OpenedLibrary<S extends Deno.ForeignLibraryInterface> {
  readonly library: Deno.DynamicLibrary<S>;
  readonly path: string;
}

/**
 * Opens the first of `paths` that may be used and has `symbols`; the caller closes it. Undefined when there is
 * none. Never throws, never asks for a permission.
 */
export function openSystemLibrary<const S extends Deno.ForeignLibraryInterface>(
  paths: readonly string[],
  symbols: S,
): OpenedLibrary<S> | undefined {
  for (const path of paths) {
    if (!mayOpenLibrary(path)) continue;
    try {
      return { library: Deno.dlopen(path, symbols), path };
    } catch {
      // Not there, or not the library that is meant.
    }
  }
  return undefined;
}

/** True when the permission to open this library was granted. */
export function mayOpenLibrary(path: string): boolean {
  return Deno.permissions.querySync({ name: "ffi", path }).state === "granted";
}

/** The first of `paths` that is an absolute path of an existing file, for a permission that names it. */
export async function systemLibraryPath(paths: readonly string[]): Promise<string | undefined> {
  for (const path of paths) {
    if (path.startsWith("/") && await Deno.stat(path).then(() => true, () => false)) return path;
  }
  return undefined;
}
