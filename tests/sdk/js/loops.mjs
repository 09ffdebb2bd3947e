// A chat that calls a function by hand, as the documentation's samples do. Prints a JSON list: what was
// called, and the last words, for each question. BASE names the server.
import {GoogleGenAI} from '@google/genai';

const ai = new GoogleGenAI({apiKey: 'any', httpOptions: {baseUrl: process.env.BASE}});
const declaration = {
  name: 'get_share_price',
  description: 'Current price of a share in dollars.',
  parametersJsonSchema: {
    type: 'object',
    properties: {ticker: {type: 'string', description: 'Ticker symbol, for example AAPL.'}},
    required: ['ticker'],
  },
};
const chat = ai.chats.create({
  model: 'gemini-2.5-flash',
  config: {temperature: 0, tools: [{functionDeclarations: [declaration]}]},
});

async function ask(question) {
  const called = [];
  let answer = await chat.sendMessage({message: question});
  for (let round = 0; answer.functionCalls && round < 5; round++) {
    const results = answer.functionCalls.map(({id, name, args}) => {
      called.push([name, args.ticker]);
      return {functionResponse: {id, name, response: {price: 231.5, currency: 'USD'}}};
    });
    answer = await chat.sendMessage({message: results});
  }
  return {asked: question, called, said: answer.text};
}

const said = [];
for (const question of [
  'What is the price of an Apple share?',
  'Thank you! And what is two times that?',
  'What is the capital of Italy?',
])
  said.push(await ask(question));
console.log(JSON.stringify(said));
