import { openSystemLibrary, systemLibraryPath } from "./system_library.ts";

/** Where the C library is, tried in order: by name, and by path for a permission that names the file. */
const PATHS: Partial<Record<typeof Deno.build.os, readonly string[]>> = {
  linux: [
    "libc.so.6",
    `/lib/${Deno.build.arch}-linux-gnu/libc.so.6`,
    "/lib64/libc.so.6",
    `/lib/libc.musl-${Deno.build.arch}.so.1`,
  ],
  darwin: ["/usr/lib/libSystem.B.dylib"],
};

/** Absolute path of the C library, for a permission that names it; undefined when it is not where it usually is. */
export async function cLibraryPath(): Promise<string | undefined> {
  return await systemLibraryPath(PATHS[Deno.build.os] ?? []);
}

/**
 * Opens `symbols` of the system's C library; the caller closes it. Undefined when the platform is unknown,
 * or the library may not or cannot be used. Never throws, never asks for a permission.
 */
export function openCLibrary<const S extends Deno.ForeignLibraryInterface>(
  symbols: S,
): Deno.DynamicLibrary<S> | undefined {
  return openSystemLibrary(PATHS[Deno.build.os] ?? [], symbols)?.library;
}
