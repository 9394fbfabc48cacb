/** The injected world: time, randomness and ordering of work. */
export * from "./c_library.ts";
export * from "./clock.ts";
export * from "./disk.ts";
export * from "./keyed_lock.ts";
export type * from "./network.ts";
export * from "./random.ts";
export * from "./service_manager.ts";
export * from "./small_file.ts";
export * from "./system_library.ts";
