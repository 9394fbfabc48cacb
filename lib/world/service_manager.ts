import { openCLibrary } from "./c_library.ts";
import { type Clock, repeat } from "./clock.ts";

/** What a service manager such as systemd is told about this process (sd_notify(3)). */
export interface ServiceManager {
  /** The server answers; `status` is one line for people. */
  ready(status: string): void;
  /** The server has begun to stop. */
  stopping(): void;
  /**
   * Reports life from the event loop at half the interval the manager asked for, until `signal` aborts: a
   * blocked event loop reports nothing and is restarted. Resolves at once when the manager does not watch.
   */
  watch(clock: Clock, signal: AbortSignal): Promise<void>;
}

const AF_UNIX = 1;
const SOCK_DGRAM = 2;
const SOCK_CLOEXEC = 0o2000000;
const MSG_DONTWAIT = 0x40;
const MSG_NOSIGNAL = 0x4000;
/** Longest address of a Unix socket, its final NUL included. */
const PATH_BYTES = 108;
const FAMILY_BYTES = 2;

const SYMBOLS = {
  socket: { parameters: ["i32", "i32", "i32"], result: "i32" },
  sendto: { parameters: ["i32", "buffer", "usize", "i32", "buffer", "u32"], result: "isize" },
  close: { parameters: ["i32"], result: "i32" },
} as const;

/**
 * The service manager that `env` names (`NOTIFY_SOCKET`, `WATCHDOG_USEC`, `WATCHDOG_PID`). Without one, every
 * call does nothing. `onSilence` is called once, with a sentence, when there is one that cannot be told.
 *
 * The runtime sends Unix datagrams only behind an unstable flag and never to abstract addresses, so the C
 * library does it, with the permission that small answers use anyway (docs/decisions/005-no-delay.md).
 */
export function serviceManager(
  env: Readonly<Record<string, string | undefined>>,
  onSilence: (sentence: string) => void,
): ServiceManager {
  const { NOTIFY_SOCKET: name } = env;
  if (name === undefined) return { ready: () => {}, stopping: () => {}, watch: () => Promise.resolve() };
  const address = socketAddress(name);
  let isSilent = false;
  const tell = (message: string) => {
    if ((address && send(address, message)) || isSilent) return;
    isSilent = true;
    onSilence(
      "the service manager cannot be told that the server is ready; use Type=exec, without a watchdog",
    );
  };
  const watchdogMs = watchdogInterval(env);
  return {
    ready: (status) => tell(`READY=1\nSTATUS=${status.replaceAll("\n", " ")}`),
    stopping: () => tell("STOPPING=1"),
    watch: async (clock, signal) => {
      if (watchdogMs === undefined) return;
      await repeat(clock, watchdogMs / 2, signal, () => Promise.resolve(tell("WATCHDOG=1")));
    },
  };
}

/** How often the manager wants a sign of life, in milliseconds; undefined when it does not, or from another process. */
function watchdogInterval(env: Readonly<Record<string, string | undefined>>): number | undefined {
  const { WATCHDOG_USEC: interval = "", WATCHDOG_PID: pid } = env;
  if (!/^[1-9]\d{0,15}$/.test(interval) || (pid !== undefined && pid !== String(Deno.pid))) return undefined;
  return Number(interval) / 1000;
}

/** `sockaddr_un` of a path or of an abstract name (`@name`); undefined for anything else. */
function socketAddress(name: string | undefined): Uint8Array<ArrayBuffer> | undefined {
  if (name === undefined || !/^[/@]./.test(name)) return undefined;
  const bytes = new TextEncoder().encode(name);
  if (bytes.length >= PATH_BYTES) return undefined;
  // An abstract name begins with NUL and ends where the length says; a path ends with NUL.
  const isAbstract = name.startsWith("@");
  if (isAbstract) bytes[0] = 0;
  const address = new Uint8Array(FAMILY_BYTES + bytes.length + (isAbstract ? 0 : 1));
  new Uint16Array(address.buffer, 0, 1)[0] = AF_UNIX;
  address.set(bytes, FAMILY_BYTES);
  return address;
}

function send(address: Uint8Array<ArrayBuffer>, message: string): boolean {
  if (Deno.build.os !== "linux") return false;
  const library = openCLibrary(SYMBOLS);
  if (library === undefined) return false;
  const { socket, sendto, close } = library.symbols;
  const bytes = new TextEncoder().encode(message);
  const flags = MSG_DONTWAIT | MSG_NOSIGNAL;
  try {
    const fd = socket(AF_UNIX, SOCK_DGRAM | SOCK_CLOEXEC, 0);
    if (fd < 0) return false;
    const sent = sendto(fd, bytes, BigInt(bytes.length), flags, address, address.length);
    close(fd);
    return Number(sent) === bytes.length;
  } finally {
    library.close();
  }
}
