// @google/generative-ai, as its documentation uses it.
import { FunctionCallingMode, GoogleGenerativeAI, SchemaType, TaskType } from "@google/generative-ai";
import { run } from "./run.mjs";

const genAI = new GoogleGenerativeAI("test");
const name = process.env.MODEL ?? "gemini-2.0-flash";
const model = (more = {}) => genAI.getGenerativeModel({ model: name, ...more }, { baseUrl: process.env.BASE });

const ask = async (prompt, generationConfig) =>
  (await model({ generationConfig }).generateContent(prompt)).response;

async function joined(result) {
  let text = "", chunks = 0, finish;
  for await (const chunk of result.stream) {
    chunks++;
    text += chunk.text();
    finish = chunk.candidates[0].finishReason ?? finish;
  }
  return { text, chunks, finish };
}

const turns = ["I own 2 dogs.", "How many paws is that?"];

async function chatStream(messages, generationConfig) {
  const chat = model({ generationConfig }).startChat();
  const texts = [];
  for (const message of messages) {
    const result = await chat.sendMessageStream(message);
    texts.push((await joined(result)).text);
    await result.response;
    await new Promise(setImmediate); // the client adds to its history after that
  }
  return { texts, history: (await chat.getHistory()).length };
}

async function refused(call) {
  try {
    await call;
  } catch (e) {
    return { error: { type: e.constructor.name, code: e.status, message: e.message } };
  }
}

const question = "How high is the tide in Bergen at 9?";
const getTide = {
  name: "get_tide", description: "Tells the height of the tide.",
  parameters: { type: SchemaType.OBJECT, required: ["harbour"],
                properties: { harbour: { type: SchemaType.STRING }, hour_of_day: { type: SchemaType.INTEGER } } },
};
const tools = { functionDeclarations: [getTide] };
const tideOf = (call) => [{ functionResponse: { name: call.name, response: { height_in_cm: 134 } } }];

await run({
  functions: async () => {
    const chat = model({ tools }).startChat();
    const call = (await chat.sendMessage(question)).response.functionCalls()[0];
    return { text: (await chat.sendMessage(tideOf(call))).response.text(), called: call.args };
  },
  function_chat: async () => {
    const chat = model({ tools }).startChat();
    const call = (await chat.sendMessage(question)).response.functionCalls()[0];
    const texts = [(await chat.sendMessage(tideOf(call))).response.text(),
                   (await chat.sendMessage("Say hello")).response.text()];
    return { texts, called: call.args, history: (await chat.getHistory()).length };
  },
  function_stream: async () => {
    const chat = model({ tools }).startChat();
    const call = (await (await chat.sendMessageStream(question)).response).functionCalls()[0];
    await new Promise(setImmediate);
    const text = (await (await chat.sendMessageStream(tideOf(call))).response).text();
    return { text, called: call.args };
  },
  forced: async () => {
    const got = await model({
      tools: [{ functionDeclarations: [getTide, { name: "get_wind" }] }],
      toolConfig: { functionCallingConfig: { mode: FunctionCallingMode.ANY, allowedFunctionNames: ["get_tide"] } },
    }).generateContent(question);
    const [{ name, args }] = got.response.functionCalls();
    return { name, args };
  },
  json_schema: async () => {
    const got = await ask("List popular cookie recipes", {
      responseMimeType: "application/json",
      responseSchema: { type: SchemaType.ARRAY, items: { type: SchemaType.OBJECT, properties: {
        recipeName: { type: SchemaType.STRING, nullable: false }, minutes: { type: SchemaType.INTEGER } } } },
    });
    return { parsed: JSON.parse(got.text()) };
  },
  enum: async () => ({ text: (await ask("Is a tomato a fruit?", {
    responseMimeType: "text/x.enum",
    responseSchema: { type: SchemaType.STRING, format: "enum", enum: ["fruit", "vegetable"] } })).text() }),
  text: async () => ({ text: (await ask("Say hello")).text() }),
  system: async () => ({
    text: (await model({ systemInstruction: "You are a parrot." }).generateContent("Hello there")).response.text(),
  }),
  stream: async () => joined(await model().generateContentStream("count to five")),
  chat: async () => {
    const chat = model().startChat();
    const texts = [];
    for (const message of turns)
      texts.push((await chat.sendMessage(message)).response.text());
    return { texts, history: (await chat.getHistory()).length };
  },
  chat_stream: () => chatStream(turns),
  remembers: () => chatStream(["My name is Ingeborg. Say hi.", "What is my name?"], { temperature: 0 }),
  config: async () => {
    const got = await ask("count to five", {
      temperature: 0.5, topP: 0.9, topK: 40, candidateCount: 1, maxOutputTokens: 800,
      stopSequences: ["three"], presencePenalty: 0.1, frequencyPenalty: -0.2,
    });
    return { text: got.text(), finish: got.candidates[0].finishReason };
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
    total: (await model().countTokens("Say hello")).totalTokens,
    prompt: (await ask("Say hello")).usageMetadata.promptTokenCount,
  }),
  embed: async () => {
    const embedder = model({ model: "text-embedding-004" });
    const content = (text) => ({ role: "user", parts: [{ text }] });
    const meaning = content("What is the meaning of life?");
    const many = await embedder.batchEmbedContents({
      requests: [{ content: meaning }, { content: content("What is the purpose of existence?") }],
    });
    const short = await embedder.embedContent({
      content: content("The tide is high."), taskType: TaskType.RETRIEVAL_DOCUMENT, title: "Tides", outputDimensionality: 8,
    });
    return {
      one: (await embedder.embedContent("What is the meaning of life?")).embedding.values,
      many: many.embeddings.map((e) => e.values),
      short: short.embedding.values,
    };
  },
  not_found: () => refused(genAI.getGenerativeModel({ model: "no-such-model" }, { baseUrl: process.env.BASE })
    .generateContent("hi")),
  bad_argument: () => refused(ask("hi", { temperature: 9 })),
  exhausted: () => refused(ask("fault RESOURCE_EXHAUSTED")),
  failed: () => refused(ask("fault INTERNAL")),
  smoke: async () => {
    const m = model({ generationConfig: { maxOutputTokens: 12, seed: 7, temperature: 1 } });
    const prompt = "Name three rivers.";
    const got = await joined(await m.generateContentStream(prompt));
    return { text: (await m.generateContent(prompt)).response.text(),
             again: (await m.generateContent(prompt)).response.text(),
             streamed: got.text, chunks: got.chunks };
  },
});
