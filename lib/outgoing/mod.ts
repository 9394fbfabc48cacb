/** Everything this server dials: the address guard, the connections, whose URLs they are, and who is left alone. */
export { literalProblem } from "./address_guard.ts";
export { classifyFailure, classifyText, reasonText } from "./faults.ts";
export { NaughtyList, type NaughtyListOptions, type NaughtyRecord } from "./naughty_list.ts";
export { createNetwork, type NetworkOptions } from "./network.ts";
export type { Resolve } from "./system_resolver.ts";
export * from "./urls.ts";
