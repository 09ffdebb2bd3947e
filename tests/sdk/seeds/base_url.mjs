// node --import: the pages' snippets for the older client take its names as imported and know one
// host only. Here that host is ours; nothing else changes.
import * as client from "@google/generative-ai";

Object.assign(globalThis, client);
const { fetch } = globalThis;
globalThis.fetch = (url, ...rest) =>
  fetch(String(url).replace("https://generativelanguage.googleapis.com", process.env.BASE), ...rest);
