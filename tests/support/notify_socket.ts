const RECEIVER = `
import socket, sys
name = sys.argv[1]
s = socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)
s.bind(name if name[0] != "@" else "\\0" + name[1:])
print("bound", flush=True)
while True: print(s.recv(65536).decode().replace("\\n", "\\\\n"), flush=True)
`;
const TIMEOUT_MS = 15_000;

/** The service manager's end of `NOTIFY_SOCKET`: a Unix datagram socket held by another process. */
export class NotifySocket implements AsyncDisposable {
  readonly #child: Deno.ChildProcess;
  readonly #reading: Promise<void>;
  readonly #lines: string[] = [];
  #changed = Promise.withResolvers<void>();

  /** Whether this machine has what holds the other end: Linux and python3. */
  static readonly isAvailable = Deno.build.os === "linux" && hasPython();

  private constructor(child: Deno.ChildProcess) {
    this.#child = child;
    this.#reading = this.#read();
  }

  /** Binds `name`, a path or an abstract name (`@name`). Needs python3. */
  static async open(name: string): Promise<NotifySocket> {
    const command = new Deno.Command("python3", {
      args: ["-c", RECEIVER, name],
      stdin: "null",
      stdout: "piped",
    });
    const socket = new NotifySocket(command.spawn());
    await socket.#until(1);
    return socket;
  }

  /** How many messages have come. */
  get received(): number {
    return this.#lines.length - 1;
  }

  /** The messages so far, oldest first, once there are `count` of them. */
  async messages(count: number): Promise<string[]> {
    await this.#until(count + 1);
    return this.#lines.slice(1).map((line) => line.replaceAll("\\n", "\n"));
  }

  async #until(lines: number): Promise<void> {
    const late = Promise.withResolvers<never>();
    const timer = setTimeout(
      () => late.reject(new Error(`no message; got ${this.#lines.join()}`)),
      TIMEOUT_MS,
    );
    try {
      while (this.#lines.length < lines) await Promise.race([this.#changed.promise, late.promise]);
    } finally {
      clearTimeout(timer);
    }
  }

  async #read(): Promise<void> {
    let rest = "";
    for await (const text of this.#child.stdout.pipeThrough(new TextDecoderStream())) {
      const lines = (rest + text).split("\n");
      rest = lines.pop()!;
      this.#lines.push(...lines);
      this.#changed.resolve();
      this.#changed = Promise.withResolvers();
    }
  }

  /** Ends the receiver. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.#child.kill("SIGKILL");
    await this.#child.status;
    await this.#reading;
  }
}

function hasPython(): boolean {
  try {
    return new Deno.Command("python3", { args: ["--version"], stdout: "null", stderr: "null" }).outputSync()
      .success;
  } catch {
    return false;
  }
}
