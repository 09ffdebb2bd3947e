// This will only work for SDK newer than 2.0.0
import { GoogleGenAI } from "@google/genai";
const ai = new GoogleGenAI({});
async function main() {
  // Initialize history with the first user turn
  const history = [
    {
      type: "user_input",
      content: [{ type: "text", text: "I have 2 dogs in my house." }]
    }
  ];
  // Turn 1: Send request with store: false
  const interaction1 = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      store: false,
      input: history
    });
  console.log("Response 1:", interaction1.steps.at(-1).content[0].text);
  // Append model response steps to history
  history.push(...interaction1.steps);
  // Append the next user turn
  history.push({
      type: "user_input",
      content: [{ type: "text", text: "How many paws are in my house?" }]
    });
  // Turn 2: Send full history with store: false
  const interaction2 = await ai.interactions.create({
      model: "gemini-3-flash-preview",
      store: false,
      input: history
    });
  console.log("Response 2:", interaction2.steps.at(-1).content[0].text);
}
await main();
