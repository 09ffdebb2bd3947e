// @google/genai and safety settings: what is blocked, and how it is told.
import { GoogleGenAI, HarmBlockThreshold, HarmCategory } from "@google/genai";

const ai = new GoogleGenAI({ apiKey: "test", httpOptions: { baseUrl: process.env.BASE } });
const config = {
  safetySettings: [
    { category: HarmCategory.HARM_CATEGORY_HARASSMENT, threshold: HarmBlockThreshold.BLOCK_MEDIUM_AND_ABOVE },
    { category: HarmCategory.HARM_CATEGORY_HATE_SPEECH, threshold: HarmBlockThreshold.BLOCK_LOW_AND_ABOVE },
  ],
};
const request = (contents) => ({ model: "gemini-2.0-flash", contents, config });
const ask = (contents) => ai.models.generateContent(request(contents));

const blocked = await ask("You idiot"), fine = await ask("Say hello"), bad = await ask("an insult");
const chunks = [];
for await (const chunk of await ai.models.generateContentStream(request("an insult"))) chunks.push(chunk);
console.log(JSON.stringify({
  blocked: blocked.promptFeedback.blockReason,
  text: fine.text,
  ratings: fine.candidates[0].safetyRatings.map((r) => [r.category, r.probability]),
  finish: bad.candidates[0].finishReason,
  said: bad.text ?? "",
  blockedFor: bad.candidates[0].safetyRatings.filter((r) => r.blocked).map((r) => r.category),
  streamed: chunks.map((c) => c.text ?? "").join(""),
  end: chunks.at(-1).candidates[0].finishReason,
}));
