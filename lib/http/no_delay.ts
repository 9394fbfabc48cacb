import { openCLibrary } from "../world/mod.ts";

/** What differs between operating systems in the part of the socket interface used here. */
interface Platform {
  /** Address families of TCP: IPv4 and IPv6. */
  readonly families: readonly number[];
  /** The address family of the bytes getsockname wrote. */
  readonly familyOf: (address: DataView) => number;
}

const PLATFORMS: Partial<Record<typeof Deno.build.os, Platform>> = {
  linux: { families: [2, 10], familyOf: (address) => address.getUint16(0, true) },
  darwin: { families: [2, 30], familyOf: (address) => address.getUint8(1) },
};

const SYMBOLS = {
  getsockname: { parameters: ["i32", "buffer", "buffer"], result: "i32" },
  setsockopt: { parameters: ["i32", "i32", "i32", "buffer", "u32"], result: "i32" },
} as const;

const IPPROTO_TCP = 6;
const TCP_NODELAY = 1;
/** A listening socket that was just bound has a small number. */
const FIRST_FD = 3;
const LAST_FD = 1023;
/** Holds every socket address; a Unix socket's is cut off. */
const ADDRESS_BYTES = 128;
const PORT_OFFSET = 2;

/**
 * Makes the TCP sockets of this process that are bound to `port` send small writes at once
 * (TCP_NODELAY). Connections accepted later inherit it, so call this right after binding.
 *
 * The runtime has no option for it: without it, whatever follows an earlier small write in a later
 * turn waits for the client's delayed ACK, about 40 ms (docs/decisions/005-no-delay.md).
 * False when nothing was changed: the platform is unknown, or the C library may not or cannot be
 * used. Never throws, never asks for a permission.
 */
export function setNoDelay(port: number): boolean {
  const platform = PLATFORMS[Deno.build.os];
  const library = platform && openCLibrary(SYMBOLS);
  if (platform === undefined || library === undefined) return false;
  try {
    return setOnSockets(library.symbols, platform, port);
  } finally {
    library.close();
  }
}

type Library = Deno.DynamicLibrary<typeof SYMBOLS>;

function setOnSockets(libc: Library["symbols"], platform: Platform, port: number): boolean {
  const address = new DataView(new ArrayBuffer(ADDRESS_BYTES));
  const length = new Uint32Array(1);
  const on = new Int32Array([1]);
  let changed = false;
  for (let fd = FIRST_FD; fd <= LAST_FD; fd++) {
    length[0] = ADDRESS_BYTES;
    if (libc.getsockname(fd, address.buffer, length.buffer) !== 0) continue;
    if (!platform.families.includes(platform.familyOf(address))) continue;
    if (address.getUint16(PORT_OFFSET) !== port) continue;
    // A datagram socket of the same port refuses.
    if (libc.setsockopt(fd, IPPROTO_TCP, TCP_NODELAY, on.buffer, on.byteLength) === 0) changed = true;
  }
  return changed;
}
