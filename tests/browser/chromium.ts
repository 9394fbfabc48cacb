/**
 * A real browser, driven over its debugging protocol. Found through `NGIT_TEST_CHROMIUM` (path of the
 * program), else at the usual places; tests are skipped, and say so, when there is none.
 */
const USUAL_PATHS = ["/usr/bin/chromium", "/usr/bin/chromium-browser", "/usr/bin/google-chrome"];

const FLAGS = [
  "--headless",
  "--no-sandbox",
  "--disable-gpu",
  "--disable-quic",
  "--disable-dev-shm-usage",
  "--no-first-run",
  "--disable-background-networking",
  "--disable-component-update",
  "--disable-sync",
  "--remote-debugging-port=0",
];

const TIMEOUT_MS = 30_000;

type Fields = Record<string, unknown>;

interface Message {
  readonly id?: number;
  readonly method?: string;
  readonly sessionId?: string;
  readonly params?: Fields;
  readonly result?: Fields;
  readonly error?: { readonly message: string };
}

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

/** Rejects with `what` when `work` takes too long. */
async function within<T>(what: string, work: Promise<T>): Promise<T> {
  let timer: number | undefined;
  const late = new Promise<never>((_, reject) => {
    timer = setTimeout(() => reject(new Error(`timed out: ${what}`)), TIMEOUT_MS);
  });
  return await Promise.race([work, late]).finally(() => clearTimeout(timer));
}

/** A running browser. */
export class Browser {
  readonly #child: Deno.ChildProcess;
  readonly #socket: WebSocket;
  readonly #profile: string;
  readonly #drained: Promise<unknown>;
  readonly #waiting = new Map<number, (message: Message) => void>();
  readonly #listeners = new Set<(message: Message) => void>();
  #nextId = 1;

  private constructor(
    child: Deno.ChildProcess,
    drained: Promise<unknown>,
    socket: WebSocket,
    profile: string,
  ) {
    this.#child = child;
    this.#drained = drained;
    this.#socket = socket;
    this.#profile = profile;
    socket.onmessage = ({ data }) => this.#receive(JSON.parse(String(data)));
  }

  /** Starts the browser at `path` with a profile of its own. */
  static async launch(path: string): Promise<Browser> {
    const profile = await Deno.makeTempDir({ prefix: "ngit-grasp-chromium-" });
    const child = new Deno.Command(path, {
      args: [...FLAGS, `--user-data-dir=${profile}`, "about:blank"],
      stdin: "null",
      stdout: "null",
      stderr: "piped",
    }).spawn();
    const { address, drained } = readAddress(child);
    const socket = new WebSocket(await within("browser start", address));
    await within(
      "debugging connection",
      new Promise((resolve, reject) => {
        socket.onopen = resolve;
        socket.onerror = () => reject(new Error("cannot reach the browser"));
      }),
    );
    return new Browser(child, drained, socket, profile);
  }

  /** Sends one command and returns its result. */
  async send(method: string, params: Fields = {}, sessionId?: string): Promise<Fields> {
    const id = this.#nextId++;
    const answer = new Promise<Message>((resolve) => this.#waiting.set(id, resolve));
    this.#socket.send(JSON.stringify({ id, method, params, ...(sessionId && { sessionId }) }));
    const { result, error } = await within(method, answer);
    if (error) throw new Error(`${method}: ${error.message}`);
    return result ?? {};
  }

  /** Calls `listener` for every event of the protocol; returns how to stop. */
  listen(listener: (message: Message) => void): () => void {
    this.#listeners.add(listener);
    return () => this.#listeners.delete(listener);
  }

  /** A fresh page, which sees no cookies, storage or cache of other pages. */
  async newPage(): Promise<Page> {
    const { browserContextId } = await this.send("Target.createBrowserContext");
    const { targetId } = await this.send("Target.createTarget", { url: "about:blank", browserContextId });
    const { sessionId } = await this.send("Target.attachToTarget", { targetId, flatten: true });
    return await Page.open(this, String(sessionId));
  }

  /** Ends the browser and removes its profile. */
  async close(): Promise<void> {
    const closed = new Promise((resolve) => this.#socket.onclose = resolve);
    await this.send("Browser.close").catch(() => this.#child.kill("SIGKILL"));
    await this.#child.status;
    await closed;
    await this.#drained;
    await Deno.remove(this.#profile, { recursive: true });
  }

  #receive(message: Message): void {
    if (message.id === undefined) {
      for (const listener of this.#listeners) listener(message);
      return;
    }
    this.#waiting.get(message.id)?.(message);
    this.#waiting.delete(message.id);
  }
}

/** The address the browser prints, and its output read to the end. */
function readAddress(child: Deno.ChildProcess): { address: Promise<string>; drained: Promise<unknown> } {
  const { promise, resolve, reject } = Promise.withResolvers<string>();
  const drained = (async () => {
    let text = "";
    for await (const part of child.stderr.pipeThrough(new TextDecoderStream())) {
      text = (text + part).slice(-10_000);
      const found = /DevTools listening on (ws:\S+)/.exec(text)?.[1];
      if (found) resolve(found);
    }
    reject(new Error(`browser ended: ${text}`));
  })();
  return { address: promise, drained };
}

/** One tab. */
export class Page {
  readonly #browser: Browser;
  readonly #session: string;
  /** Console errors, security policy violations and uncaught exceptions so far. */
  readonly problems: string[] = [];
  /** URLs of everything requested so far. */
  readonly requested: string[] = [];

  private constructor(browser: Browser, session: string) {
    this.#browser = browser;
    this.#session = session;
    browser.listen((message) => this.#note(message));
  }

  /** Attaches to a target of `browser`. */
  static async open(browser: Browser, session: string): Promise<Page> {
    const page = new Page(browser, session);
    for (const domain of ["Page", "Runtime", "Log", "Network"]) await page.#send(`${domain}.enable`);
    return page;
  }

  /** Loads `url` and waits for its load event. */
  async goto(url: string): Promise<void> {
    const loaded = new Promise<void>((resolve) => {
      const stop = this.#browser.listen(({ method, sessionId }) => {
        if (method !== "Page.loadEventFired" || sessionId !== this.#session) return;
        stop();
        resolve();
      });
    });
    const { errorText } = await this.#send("Page.navigate", { url });
    if (errorText) throw new Error(`${url}: ${errorText}`);
    await within(`load of ${url}`, loaded);
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

  #send(method: string, params: Fields = {}): Promise<Fields> {
    return this.#browser.send(method, params, this.#session);
  }

  #note({ method, sessionId, params }: Message): void {
    if (sessionId !== this.#session) return;
    if (method === "Network.requestWillBeSent") {
      this.requested.push((params as { request: { url: string } }).request.url);
    } else if (method === "Runtime.exceptionThrown") {
      this.problems.push(JSON.stringify(params));
    } else if (method === "Log.entryAdded") {
      const { level, text } = (params as { entry: { level: string; text: string } }).entry;
      if (level === "error" || level === "warning") this.problems.push(text);
    }
  }
}
