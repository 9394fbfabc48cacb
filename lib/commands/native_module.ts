import { createRequire } from "node:module";
import { causeOf } from "./check_result.ts";

/** What became of loading the database driver. */
export interface NativeModule {
  /** The loaded file, or the one that may not be loaded; undefined when neither is known. */
  readonly path: string | undefined;
  /** Why the driver cannot be used. */
  readonly problem: string | undefined;
}

/** Loads the database driver: a grant for its native module cannot be asked for without its path. */
export async function loadNativeModule(): Promise<NativeModule> {
  try {
    const { createClient } = await import("@libsql/client");
    const client = createClient({ url: ":memory:" });
    await client.execute("SELECT 1");
    client.close();
    const loaded = Object.keys(createRequire(import.meta.url).cache);
    return { path: loaded.find((path) => path.endsWith(".node")), problem: undefined };
  } catch (error) {
    const problem = causeOf(error);
    return { path: /ffi access to "([^"]+)"/.exec(problem)?.[1], problem };
  }
}
