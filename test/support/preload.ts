// Runs before every test file: nothing here may open a connection.
import { afterAll } from 'bun:test'
import { runCleanups } from './cleanup.ts'

afterAll(runCleanups)
