/**
 * A bar on long work: drawn on a terminal, silent for machines.
 * @param label what is being done
 */
export function progressBar(label: string, stream: NodeJS.WriteStream = process.stderr) {
  const width = 28
  let drawn = 0
  return {
    update(done: number, total: number, what = '') {
      if (!stream.isTTY) return
      const now = Date.now()
      if (now - drawn < 50 && done < total) return
      drawn = now
      const share = total > 0 ? Math.min(1, done / total) : 1
      const full = Math.round(share * width)
      stream.write(
        `\r\u001b[K${label} [${'█'.repeat(full)}${'·'.repeat(width - full)}] ${String(Math.round(share * 100)).padStart(3)}% ${what}`,
      )
    },
    end() {
      if (stream.isTTY) stream.write('\r\u001b[K')
    },
  }
}
