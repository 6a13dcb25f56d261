export interface TextModel {
  readonly name: string
  /** Checks the key. @throws AppError `model_unreachable`, `model_refused` */
  check(): Promise<void>
  /**
   * @returns the parsed JSON of the model's answer; the caller validates it
   * @throws AppError `model_unreachable`, `model_refused`, `model_garbled`
   */
  askForJson(request: { system: string; user: string }): Promise<unknown>
}
