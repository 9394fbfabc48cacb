import * as kinds from "./kinds.ts";
import * as lists from "./list_kinds.ts";
import { rowsOf } from "./option.ts";

const { withDefault, optional } = rowsOf("Curation, archive, contributor PRs, moderation");

/** Section "Curation, archive, contributor PRs, moderation". */
export const CURATION_OPTIONS = {
  NGIT_REPOSITORY_WHITELIST: withDefault(lists.repositoryEntries("whitelist"), {
    default: "",
    help: "If not empty, an announcement must list this service and match",
    excludes: "NGIT_ARCHIVE_READ_ONLY=true, which is the default with any archive option",
    reloadable: true,
  }),
  NGIT_ARCHIVE_ALL: withDefault(kinds.bool, {
    default: "false",
    help: "Accept every announcement, listed here or not",
    excludes: "NGIT_ARCHIVE_GRASP_SERVICES, NGIT_SYNC_ENABLE=false",
  }),
  NGIT_ARCHIVE_WHITELIST: withDefault(lists.repositoryEntries("whitelist"), {
    default: "",
    help: "Accept matching announcements even if they do not list this service",
    excludes: "NGIT_ARCHIVE_GRASP_SERVICES, NGIT_SYNC_ENABLE=false",
    reloadable: true,
  }),
  NGIT_ARCHIVE_GRASP_SERVICES: withDefault(lists.domains, {
    default: "",
    help: "Accept announcements whose clone URLs name one of these servers",
    excludes: "NGIT_ARCHIVE_ALL=true, NGIT_ARCHIVE_WHITELIST, NGIT_SYNC_ENABLE=false",
    reloadable: true,
  }),
  NGIT_ARCHIVE_READ_ONLY: optional(kinds.bool, {
    help: "Refuse announcements that merely list this service; true needs an archive option",
    excludes: "NGIT_REPOSITORY_WHITELIST",
    derivedDefault: "true when any archive option is active, else false",
  }),
  NGIT_GRASP06_ENABLE: withDefault(kinds.bool, {
    default: "false",
    help: "Contributor repositories below /prs/, without authentication",
  }),
  NGIT_REPOSITORY_BLACKLIST: withDefault(lists.repositoryEntries("blacklist"), {
    default: "",
    help: "Repositories refused whatever the whitelists say",
    reloadable: true,
  }),
  NGIT_EVENT_BLACKLIST: withDefault(lists.authorEntries, {
    default: "",
    help: "Authors whose events are refused before anything else",
    reloadable: true,
  }),
  NGIT_IGNORE_DELETION_REQUESTS: withDefault(kinds.bool, {
    default: "false",
    help: "Store kind 5 events without effect (archival servers)",
  }),
  NGIT_RESTRICT_DELETION_REQUESTS: withDefault(kinds.bool, {
    default: "false",
    help: "Refuse kind 5 events that concern nothing here",
    reloadable: true,
  }),
  NGIT_OPEN_GRASP_LISTS: withDefault(kinds.bool, {
    default: "true",
    help: "Accept kind 10317 from anyone",
    reloadable: true,
  }),
  NGIT_LENIENT_LISTS: withDefault(kinds.bool, {
    default: "false",
    help: "Skip bad list entries with a warning; a list without a valid entry matches nothing",
  }),
};
