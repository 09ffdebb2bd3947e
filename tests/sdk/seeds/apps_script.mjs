// node apps_script.mjs FILE.gs: runs the file's main() as Google Apps Script does, whose services
// answer at once. One host is known to the samples; here it is ours (env BASE).
import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { runInThisContext } from "node:vm";

globalThis.PropertiesService = {
  getScriptProperties: () => ({ getProperty: (name) => process.env[name] }),
};
globalThis.UrlFetchApp = {
  fetch: (url, { method, contentType, payload }) =>
    execFileSync("curl", ["--silent", "--fail-with-body", "--request", method,
      "--header", `Content-Type: ${contentType}`, "--data-binary", "@-",
      url.replace("https://generativelanguage.googleapis.com", process.env.BASE)],
      { input: payload, encoding: "utf8" }),
};
runInThisContext(readFileSync(process.argv[2], "utf8") + "\nmain();", process.argv[2]);
