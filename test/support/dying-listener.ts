// A listening thread that dies with the first audio it gets.
self.onmessage = (message: MessageEvent<{ type: string; line: number }>) => {
  if (message.data.type === 'open') self.postMessage({ type: 'opened', line: message.data.line })
  if (message.data.type === 'audio') process.exit(1)
}
