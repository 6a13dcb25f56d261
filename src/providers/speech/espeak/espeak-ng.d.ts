declare module '@echogarden/espeak-ng-emscripten' {
  /** One voice engine. `synthesize` blocks and calls back with pieces of 16-bit audio; returning true stops it. */
  export interface EspeakEngine {
    set_voice(name: string): void
    set_rate(wordsPerMinute: number): void
    get_samplerate(): number
    synthesize(text: string, onAudio: (pcm: Int16Array | null | undefined) => boolean): void
  }
  export interface EspeakModule {
    eSpeakNGWorker: new () => EspeakEngine | Promise<EspeakEngine>
  }
  export default function load(): Promise<EspeakModule>
}
