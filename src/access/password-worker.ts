import { ZxcvbnFactory } from '@zxcvbn-ts/core'
import { adjacencyGraphs, dictionary } from '@zxcvbn-ts/language-common'

declare const self: Worker

export type PasswordQuestion = { password: string; about: string[] }
export type PasswordAnswer = { score: number }

self.onmessage = ({ data }: MessageEvent<PasswordQuestion>) => {
  const estimator = new ZxcvbnFactory({ dictionary, graphs: adjacencyGraphs })
  const { score } = estimator.check(data.password, data.about)
  self.postMessage({ score } satisfies PasswordAnswer)
}
