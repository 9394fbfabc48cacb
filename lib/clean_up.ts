import type { Logger } from "./observe/mod.ts";
import type { CleanUp } from "./store/mod.ts";

/** Undoes what was set up, the last first; a step that fails does not keep the others from being done. */
export async function undoAll(cleanUp: CleanUp, log: Logger): Promise<void> {
  for (const undo of cleanUp.splice(0).reverse()) {
    try {
      await undo();
    } catch (error) {
      log.warn("clean-up step failed", { error: String(error) });
    }
  }
}

/** What `build` makes; when it fails, whatever it noted in its clean-up is undone before the failure goes on. */
export async function orUndo<T>(log: Logger, build: (cleanUp: CleanUp) => Promise<T>): Promise<T> {
  const cleanUp: CleanUp = [];
  try {
    return await build(cleanUp);
  } catch (error) {
    await undoAll(cleanUp, log);
    throw error;
  }
}
