// @google/generative-ai and safety settings: its text() throws when something was blocked.
import { GoogleGenerativeAI, HarmBlockThreshold, HarmCategory } from "@google/generative-ai";

const model = new GoogleGenerativeAI("test").getGenerativeModel({
  model: "gemini-1.5-flash",
  safetySettings: [
    { category: HarmCategory.HARM_CATEGORY_HARASSMENT, threshold: HarmBlockThreshold.BLOCK_MEDIUM_AND_ABOVE },
    { category: HarmCategory.HARM_CATEGORY_HATE_SPEECH, threshold: HarmBlockThreshold.BLOCK_LOW_AND_ABOVE },
  ],
}, { baseUrl: process.env.BASE });
const ask = async (prompt) => (await model.generateContent(prompt)).response;
const text = (response) => {
  try {
    return response.text();
  } catch (error) {
    return error.message.includes("SAFETY") ? "" : error.message;
  }
};

const blocked = await ask("You idiot"), fine = await ask("Say hello"), bad = await ask("an insult");
const chunks = [];
for await (const chunk of (await model.generateContentStream("an insult")).stream) chunks.push(chunk);
console.log(JSON.stringify({
  blocked: blocked.promptFeedback.blockReason,
  text: text(fine),
  ratings: fine.candidates[0].safetyRatings.map((r) => [r.category, r.probability]),
  finish: bad.candidates[0].finishReason,
  said: text(bad),
  blockedFor: bad.candidates[0].safetyRatings.filter((r) => r.blocked).map((r) => r.category),
  streamed: chunks.map(text).join(""),
  end: chunks.at(-1).candidates[0].finishReason,
}));
