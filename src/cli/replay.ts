import { parseRecord, replayCall, transcriptOf } from '../media/replay.ts'

/**
 * Lives a recorded call through again and tells what was said and whether every decision was the same.
 * @param file a call's record, `DATA_DIR/call-records/CA….jsonl`
 * @returns what to print, and whether the decisions were the same
 */
export async function replayFile(file: string): Promise<{ text: string; same: boolean; data: unknown }> {
  const lines = parseRecord(await Bun.file(file).text())
  const replay = await replayCall(lines)
  const verdict = replay.same
    ? `${replay.recorded.length} decisions, all the same`
    : `decision ${(replay.firstDifference?.index ?? 0) + 1} differs: recorded ${JSON.stringify(replay.firstDifference?.recorded)}, replayed ${JSON.stringify(replay.firstDifference?.replayed)}`
  return { text: [...transcriptOf(lines), '', verdict].join('\n'), same: replay.same, data: replay }
}
