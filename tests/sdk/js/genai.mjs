// @google/genai, as its documentation uses it.
import { ApiError, GoogleGenAI } from "@google/genai";
import { run } from "./run.mjs";

const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
const model = process.env.MODEL ?? "gemini-2.0-flash";

const ask = (contents, config) => ai.models.generateContent({ model, contents, config });

async function joined(stream) {
  let text = "", chunks = 0, finish;
  for await (const chunk of stream) {
    chunks++;
    text += chunk.text ?? "";
    finish = chunk.candidates[0].finishReason ?? finish;
  }
  return { text, chunks, finish };
}

const turns = ["I own 2 dogs.", "How many paws is that?"];

async function chatStream(messages, config) {
  const chat = ai.chats.create({ model, config });
  const texts = [];
  for (const message of messages)
    texts.push((await joined(await chat.sendMessageStream({ message }))).text);
  const said = chat.getHistory(true).filter((c, i, all) => c.role !== all[i - 1]?.role);
  return { texts, history: said.length }; // each chunk is an entry of its own
}

async function refused(call) {
  try {
    await call;
  } catch (e) {
    return { error: { type: e.constructor === ApiError ? "ApiError" : e.constructor.name,
                      code: e.status, message: e.message } };
  }
}

await run({
  text: async () => ({ text: (await ask("Say hello")).text }),
  system: async () => ({ text: (await ask("Hello there", { systemInstruction: "You are a parrot." })).text }),
  stream: async () => joined(await ai.models.generateContentStream({ model, contents: "count to five" })),
  chat: async () => {
    const chat = ai.chats.create({ model });
    const texts = [];
    for (const message of turns)
      texts.push((await chat.sendMessage({ message })).text);
    return { texts, history: chat.getHistory(true).length };
  },
  chat_stream: () => chatStream(turns),
  remembers: () => chatStream(["My name is Ingeborg. Say hi.", "What is my name?"], { temperature: 0 }),
  config: async () => {
    const got = await ask("count to five", {
      temperature: 0.5, topP: 0.9, topK: 40, candidateCount: 1, maxOutputTokens: 800,
      stopSequences: ["three"], seed: 7, presencePenalty: 0.1, frequencyPenalty: -0.2,
      responseLogprobs: true, logprobs: 2,
    });
    return { text: got.text, finish: got.candidates[0].finishReason };
  },
  max_tokens: async () => {
    const got = await ask("count to five", { maxOutputTokens: 2 });
    return { finish: got.candidates[0].finishReason, tokens: got.usageMetadata.candidatesTokenCount };
  },
  usage: async () => {
    const u = (await ask("count to five")).usageMetadata;
    return { prompt: u.promptTokenCount, candidates: u.candidatesTokenCount, total: u.totalTokenCount };
  },
  count: async () => ({
    total: (await ai.models.countTokens({ model, contents: "Say hello" })).totalTokens,
    prompt: (await ask("Say hello")).usageMetadata.promptTokenCount,
  }),
  models_list: async () => {
    const names = [];
    for await (const m of await ai.models.list()) names.push(m.name);
    return { names };
  },
  models_get: async () => {
    const m = await ai.models.get({ model });
    return { name: m.name, input_limit: m.inputTokenLimit, output_limit: m.outputTokenLimit };
  },
  not_found: () => refused(ai.models.generateContent({ model: "no-such-model", contents: "hi" })),
  bad_argument: () => refused(ask("hi", { temperature: 9 })),
  exhausted: () => refused(ask("fault RESOURCE_EXHAUSTED")),
  failed: () => refused(ask("fault INTERNAL")),
  smoke: async () => {
    const call = { model, contents: "Name three rivers.",
                   config: { maxOutputTokens: 12, seed: 7, temperature: 1 } };
    const got = await joined(await ai.models.generateContentStream(call));
    return { text: (await ai.models.generateContent(call)).text,
             again: (await ai.models.generateContent(call)).text,
             streamed: got.text, chunks: got.chunks };
  },
});
