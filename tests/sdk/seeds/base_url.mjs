// node --import: the pages' snippets for the older client take its names, fs and a folder of media as given, and know one
// host only. Here that host is ours; nothing else changes.
import fs from "node:fs";
import * as client from "@google/generative-ai";
import * as server from "@google/generative-ai/server";

Object.assign(globalThis, client, server, { fs, mediaPath: process.env.MEDIA });
const { fetch } = globalThis;
globalThis.fetch = (url, ...rest) =>
  fetch(String(url).replace("https://generativelanguage.googleapis.com", process.env.BASE), ...rest);
