import { terminalLine } from '../lib/escape/terminal.ts'

const WIDTH = 28
const REDRAW_MS = 50

export function progressBar(label: string, stream: NodeJS.WriteStream = process.stderr) {
  let text = ''
  let timer: ReturnType<typeof setTimeout> | null = null
  const draw = () => {
    timer = null
    stream.write(`\r\u001b[K${text}`)
  }
  return {
    update(done: number, total: number, what = '') {
      if (!stream.isTTY) return
      const share = total > 0 ? Math.min(1, done / total) : 1
      const full = Math.round(share * WIDTH)
      const first = text === ''
      text = `${label} [${'█'.repeat(full)}${'·'.repeat(WIDTH - full)}] ${String(Math.round(share * 100)).padStart(3)}% ${terminalLine(what)}`
      // The last update is drawn late rather than dropped: work that is stuck shows where.
      if (first) draw()
      else timer ??= setTimeout(draw, REDRAW_MS)
    },
    end() {
      if (timer) clearTimeout(timer)
      timer = null
      if (text !== '') stream.write('\r\u001b[K')
      text = ''
    },
  }
}
