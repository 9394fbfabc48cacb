import { type Browser as PlaywrightBrowser, type CDPSession, chromium } from "playwright-core";

/**
 * A real browser, driven by Playwright. Found through `NGIT_TEST_CHROMIUM` (path of the
 * program), else at the usual places; tests are skipped, and say so, when there is none.
 */
const USUAL_PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const FLAGS = [
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
];

const TIMEOUT_MS = 30_000;

type Fields = Record<string, unknown>;

/** Path of the browser to test with; undefined when there is none. */
export function chromiumPath(): string | undefined {
  const named = Deno.env.get("NGIT_TEST_CHROMIUM");
  if (named !== undefined) return named === "" ? undefined : named;
  return USUAL_PATHS.find((path) => {
    try {
      return Deno.statSync(path).isFile;
    } catch {
      return false; // not installed there
    }
  });
}

/** A running browser. */
export class Browser {
  readonly #browser: PlaywrightBrowser;

  private constructor(browser: PlaywrightBrowser) {
    this.#browser = browser;
  }

  /** Starts the browser at `path` with a profile of its own. */
  static async launch(path: string): Promise<Browser> {
    return new Browser(await chromium.launch({ executablePath: path, args: FLAGS, timeout: TIMEOUT_MS }));
  }

  /** A fresh page, which sees no cookies, storage or cache of other pages. */
  newPage(): Promise<Page> {
    return Page.open(this.#browser);
  }

  /** Ends the browser and removes its profile. */
  async close(): Promise<void> {
    await this.#browser.close();
  }
}

/** One tab. */
export class Page {
  readonly #session: CDPSession;
  /** Console errors, security policy violations and uncaught exceptions so far. */
  readonly problems: string[] = [];
  /** URLs of everything requested so far. */
  readonly requested: string[] = [];
  /** Loads `url` and waits for its load event. */
  readonly goto: (url: string) => Promise<void>;

  private constructor(session: CDPSession, goto: (url: string) => Promise<void>) {
    this.#session = session;
    this.goto = goto;
    session.on("Network.requestWillBeSent", ({ request }) => void this.requested.push(request.url));
    session.on("Runtime.exceptionThrown", (thrown) => void this.problems.push(JSON.stringify(thrown)));
    session.on("Log.entryAdded", ({ entry: { level, text } }) => {
      if (level === "error" || level === "warning") this.problems.push(text);
    });
  }

  /** A fresh page, which sees no cookies, storage or cache of other pages. */
  static async open(browser: PlaywrightBrowser): Promise<Page> {
    const context = await browser.newContext();
    const tab = await context.newPage();
    const session = await context.newCDPSession(tab);
    const page = new Page(session, async (url) => void await tab.goto(url, { timeout: TIMEOUT_MS }));
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.#send(`${domain}.enable`);
    return page;
  }

  /** Value of an expression, awaited; rejects with the exception it throws. */
  async evaluate<T>(expression: string): Promise<T> {
    const { result, exceptionDetails } = await this.#send("Runtime.evaluate", {
      expression,
      awaitPromise: true,
      returnByValue: true,
      userGesture: true,
    }) as {
      result: { value?: unknown };
      exceptionDetails?: { exception?: { description?: string }; text: string };
    };
    if (exceptionDetails) throw new Error(exceptionDetails.exception?.description ?? exceptionDetails.text);
    return result.value as T;
  }

  /** Width of the window in CSS pixels, and the colour scheme the user prefers. */
  async show(width: number, scheme: "dark" | "light"): Promise<void> {
    const metrics = { width, height: 900, deviceScaleFactor: 1, mobile: width < 600 };
    await this.#send("Emulation.setDeviceMetricsOverride", metrics);
    const features = [{ name: "prefers-color-scheme", value: scheme }];
    await this.#send("Emulation.setEmulatedMedia", { features });
  }

  /** Switches scripts of pages loaded from now on off or on. */
  async allowScripts(allowed: boolean): Promise<void> {
    await this.#send("Emulation.setScriptExecutionDisabled", { value: !allowed });
  }

  /** Writes a picture of the whole page as PNG. */
  async screenshot(file: string): Promise<void> {
    const options = { format: "png", captureBeyondViewport: true };
    const { data } = await this.#send("Page.captureScreenshot", options);
    await Deno.writeFile(file, Uint8Array.from(atob(String(data)), (char) => char.charCodeAt(0)));
  }

  /** The protocol itself: Playwright's own evaluate needs `eval`, which our security policy forbids. */
  async #send(method: string, params: Fields = {}): Promise<Fields> {
    const send = this.#session.send as (method: string, params: Fields) => Promise<Fields>;
    return await send.call(this.#session, method, params);
  }
}
