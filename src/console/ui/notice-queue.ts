import { UNSTABLE_ToastQueue as ToastQueue } from 'react-aria-components'

export type Notice = { text: string; undo(): void }

const SHOWN_MS = 8_000

export const notices = new ToastQueue<Notice>({ maxVisibleToasts: 3 })

/** Says what was done, with a way back instead of a question before it. */
export function offerUndo(text: string, undo: () => void): void {
  notices.add({ text, undo }, { timeout: SHOWN_MS })
}
