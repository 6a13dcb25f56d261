// A voice thread that dies on demand, for tests of its supervision: "exit now", "throw now" and "hang now" do as they say.
import '../../src/providers/speech/espeak/worker.ts'

const speak = self.onmessage

self.onmessage = (message: MessageEvent<{ text: string }>) => {
  if (message.data.text === 'exit now') process.exit(1)
  if (message.data.text === 'throw now') throw new Error('thrown on demand')
  if (message.data.text === 'hang now') return
  speak?.call(self, message)
}
