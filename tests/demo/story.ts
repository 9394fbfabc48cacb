import { withTempDirectory } from "../support/temp.ts";

let stepNumber = 0;

/** Begins the next numbered step. */
export function step(text: string): void {
  console.log(`\n${++stepNumber}. ${text}`);
}

/** Prints what happened, indented below the step. */
export function tell(text: string): void {
  for (const line of text.trimEnd().split("\n")) console.log(`   ${line}`);
}

/** Ends the story unless `condition` holds. */
export function hold(condition: boolean, what: string): void {
  if (!condition) throw new Error(`this did not hold: ${what}`);
  tell(`ok: ${what}`);
}

/** Waits until `condition` holds and tells how long it took; ends the story after `deadlineMs`. */
export async function holdWithin(
  deadlineMs: number,
  what: string,
  condition: () => Promise<boolean>,
): Promise<void> {
  const start = performance.now();
  while (!await condition()) {
    if (performance.now() - start > deadlineMs) {
      throw new Error(`this did not hold within ${deadlineMs / 1000} s: ${what}`);
    }
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  tell(`ok: ${what} (after ${((performance.now() - start) / 1000).toFixed(1)} s)`);
}

/** Plays a story in a directory that disappears afterwards; exit code 0 only if every step held. */
export async function play(story: (directory: string) => Promise<void>): Promise<never> {
  try {
    await withTempDirectory(story);
    console.log("\nEvery step held.");
    Deno.exit(0);
  } catch (error) {
    console.error(`\nFAILED: ${error instanceof Error ? error.message : error}`);
    Deno.exit(1);
  }
}
