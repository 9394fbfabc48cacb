/** The client side of the relay: connections, subscriptions, limits, the NIP-11 document. */
export {
  type ArchiveKind,
  relayInformation,
  type RelayInformationInput,
  wantsRelayInformation,
} from "./nip11.ts";
export * from "./ports.ts";
export { createRelay, type Relay, type RelayInput } from "./relay.ts";
export { wantsUpgrade } from "./upgrade.ts";
