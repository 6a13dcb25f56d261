ALTER TABLE "message_media" ALTER COLUMN "source_url" DROP NOT NULL;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "file_name" text;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "seconds" integer;--> statement-breakpoint
ALTER TABLE "message_media" ADD COLUMN "thumbnail" text;