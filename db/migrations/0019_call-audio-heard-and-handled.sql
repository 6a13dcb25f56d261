-- online
ALTER TABLE "calls" ADD COLUMN IF NOT EXISTS "audio_key" text;--> statement-breakpoint
ALTER TABLE "messages" ADD COLUMN IF NOT EXISTS "handled_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "recordings" ADD COLUMN IF NOT EXISTS "heard_at" timestamp with time zone;--> statement-breakpoint
ALTER TABLE "call_summaries" DROP CONSTRAINT IF EXISTS "call_summaries_made_by", ADD CONSTRAINT "call_summaries_made_by" CHECK ("call_summaries"."made_by" in ('rules', 'model', 'member')) NOT VALID;--> statement-breakpoint
ALTER TABLE "call_summaries" VALIDATE CONSTRAINT "call_summaries_made_by";
