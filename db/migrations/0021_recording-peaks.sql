-- online
ALTER TABLE "recordings" ADD COLUMN IF NOT EXISTS "peaks" jsonb;
