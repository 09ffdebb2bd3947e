// @google/genai, as its documentation uses it.
import { ApiError, FunctionCallingConfigMode, GoogleGenAI, Type } from "@google/genai";
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

const question = "How high is the tide in Bergen at 9?";
const getTide = {
  name: "get_tide", description: "Tells the height of the tide.",
  parameters: { type: Type.OBJECT, required: ["harbour"],
                properties: { harbour: { type: Type.STRING }, hour_of_day: { type: Type.INTEGER } } },
};
const tideOf = (call) => ({ functionResponse: { name: call.name, id: call.id, response: { height_in_cm: 134 } } });
const tideChat = () => ai.chats.create({ model, config: { tools: [{ functionDeclarations: [getTide] }] } });

async function streamed(stream) {
  let text = "", calls = [];
  for await (const chunk of stream) {
    calls.push(...(chunk.functionCalls ?? []));
    if (!chunk.functionCalls) text += chunk.text ?? "";
  }
  return { text, calls };
}

await run({
  functions: async () => {
    const contents = [{ role: "user", parts: [{ text: question }] }];
    const config = { tools: [{ functionDeclarations: [getTide] }] };
    const first = await ai.models.generateContent({ model, contents, config });
    contents.push(first.candidates[0].content, { role: "user", parts: first.functionCalls.map(tideOf) });
    const second = await ai.models.generateContent({ model, contents, config });
    return { text: second.text, called: first.functionCalls[0].args };
  },
  function_chat: async () => {
    const chat = tideChat();
    const call = (await chat.sendMessage({ message: question })).functionCalls[0];
    const texts = [(await chat.sendMessage({ message: tideOf(call) })).text,
                   (await chat.sendMessage({ message: "Say hello" })).text];
    return { texts, called: call.args, history: chat.getHistory(true).length };
  },
  function_stream: async () => {
    const chat = tideChat();
    const first = await streamed(await chat.sendMessageStream({ message: question }));
    const second = await streamed(await chat.sendMessageStream({ message: first.calls.map(tideOf) }));
    return { text: second.text, called: first.calls[0].args };
  },
  forced: async () => {
    const got = await ask(question, {
      tools: [{ functionDeclarations: [getTide, { name: "get_wind" }] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingConfigMode.ANY,
                                             allowedFunctionNames: ["get_tide"] } },
    });
    const [{ name, args, id }] = got.functionCalls;
    return { name, args, id };
  },
  json_schema: async () => {
    const got = await ask("List popular cookie recipes", { // as zod writes it
      responseMimeType: "application/json",
      responseJsonSchema: { $schema: "https://json-schema.org/draft/2020-12/schema", type: "array", items: {
        type: "object", required: ["recipeName", "minutes"], additionalProperties: false,
        properties: { recipeName: { type: "string" }, minutes: { type: "integer", minimum: 0 } } } },
    });
    return { parsed: JSON.parse(got.text) };
  },
  enum: async () => ({ text: (await ask("Is a tomato a fruit?", {
    responseMimeType: "text/x.enum",
    responseSchema: { type: Type.STRING, format: "enum", enum: ["fruit", "vegetable"] } })).text }),
  thoughts: async () => {
    const got = await ask("Think it over", { thinkingConfig: { includeThoughts: true, thinkingBudget: 64 } });
    const thought = got.candidates[0].content.parts.filter((p) => p.thought).map((p) => p.text).join("");
    return { thought, text: got.text, tokens: got.usageMetadata.thoughtsTokenCount };
  },
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
  embed: async () => {
    const vectors = async (contents, config) =>
      (await ai.models.embedContent({ model: "gemini-embedding-001", contents, config })).embeddings.map((e) => e.values);
    return {
      one: (await vectors("What is the meaning of life?"))[0],
      many: await vectors(["What is the meaning of life?", "What is the purpose of existence?"]),
      short: (await vectors("The tide is high.",
        { taskType: "RETRIEVAL_DOCUMENT", title: "Tides", outputDimensionality: 8 }))[0],
    };
  },
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
