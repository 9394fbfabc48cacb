import { type Scene, scene } from "../scenarios/support.ts";
import { Browser, chromiumPath } from "./chromium.ts";

/** What a browser test has at hand. */
export interface BrowserScene extends Scene {
  readonly browser: Browser;
}

/**
 * Registers a test with a fresh server and a real browser. Without a browser it is skipped, and the
 * reason is printed.
 */
export function browserTest(
  name: string,
  play: (scene: BrowserScene) => Promise<void>,
  env: Readonly<Record<string, string>> = {},
): void {
  const path = chromiumPath();
  Deno.test({
    name: path === undefined ? `${name} (skipped: no chromium, set NGIT_TEST_CHROMIUM)` : name,
    ignore: path === undefined,
    fn: () =>
      scene(async (stage) => {
        const browser = await Browser.launch(path!);
        try {
          await play({ ...stage, browser });
        } finally {
          await browser.close();
        }
      }, env),
  });
}
