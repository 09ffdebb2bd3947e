// @google/genai: ai.fileSearchStores, as its documentation uses it.
import fs from "node:fs";
import { GoogleGenAI } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });

async function wait(operation) {
  while (!operation.done) {
    await new Promise((done) => setTimeout(done, 50));
    operation = await ai.operations.get({ operation });
  }
  return operation;
}

async function all(pager) {
  const found = [];
  for await (const one of await pager) found.push(one);
  return found;
}

async function refusal(call) {
  try {
    await call();
  } catch (error) {
    return error.status;
  }
}

const store = await ai.fileSearchStores.create({ config: { displayName: "Our notes" } });
fs.writeFileSync("tides.txt", "The moon raises the tides.");
const uploaded = await wait(await ai.fileSearchStores.uploadToFileSearchStore({
  file: "tides.txt",
  fileSearchStoreName: store.name,
  config: {
    displayName: "Tides",
    customMetadata: [{ key: "year", numericValue: 1999 }, { key: "tags", stringListValue: { values: ["sea", "moon"] } }],
    chunkingConfig: { whiteSpaceConfig: { maxTokensPerChunk: 200, maxOverlapTokens: 20 } },
  },
}));
const memory = await wait(await ai.fileSearchStores.uploadToFileSearchStore({
  file: new Blob(["Bread needs flour."], { type: "text/plain" }),
  fileSearchStoreName: store.name,
}));
const file = await ai.files.upload({ file: "tides.txt", config: { displayName: "again" } });
const imported = await wait(await ai.fileSearchStores.importFile({
  fileSearchStoreName: store.name,
  fileName: file.name,
  config: { customMetadata: [{ key: "who", stringValue: "me" }] },
}));
const broken = await wait(await ai.fileSearchStores.uploadToFileSearchStore({
  file: new Blob([new Uint8Array([0x89, 0x50, 0x4e, 0x47, 0])], { type: "image/png" }),
  fileSearchStoreName: store.name,
}));
const documents = await all(ai.fileSearchStores.documents.list({ parent: store.name, config: { pageSize: 2 } }));
const document = await ai.fileSearchStores.documents.get({ name: uploaded.response.documentName });
const now = await ai.fileSearchStores.get({ name: store.name });
const listed = (await all(ai.fileSearchStores.list({ config: { pageSize: 3 } }))).some((s) => s.name === store.name);
await ai.fileSearchStores.documents.delete({ name: document.name, config: { force: true } });
const left = (await all(ai.fileSearchStores.documents.list({ parent: store.name }))).length;
const refused = await refusal(() => ai.fileSearchStores.delete({ name: store.name }));
await ai.fileSearchStores.delete({ name: store.name, config: { force: true } });
const gone = await refusal(() => ai.fileSearchStores.get({ name: store.name }));
console.log(JSON.stringify({
  display: store.displayName, title: document.displayName, state: document.state, size: Number(document.sizeBytes),
  mime: document.mimeType, year: document.customMetadata[0].numericValue,
  tags: document.customMetadata[1].stringListValue.values, documents: documents.length,
  active: Number(now.activeDocumentsCount), failed: Number(now.failedDocumentsCount),
  parent: imported.response.parent === store.name, memory: Boolean(memory.response.documentName),
  error: broken.error.code, listed, left, refused, gone,
}));
