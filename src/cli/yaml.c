#include "cli/yaml.h"

void yaml_quoted(FILE *out, const char *s)
{
	fputc('"', out);
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			fputc('\\', out);
		if ((unsigned char)*s < 0x20 || *s == 0x7f)
			fprintf(out, "\\x%02x", (unsigned char)*s);
		else
			fputc(*s, out);
	}
	fputc('"', out);
}

void yaml_list(FILE *out, char *const *list, unsigned count)
{
	fputc('[', out);
	for (unsigned i = 0; i < count; i++) {
		fputs(i ? ", " : "", out);
		yaml_quoted(out, list[i]);
	}
	fputc(']', out);
}

void yaml_comment(FILE *out, const char *s)
{
	for (; *s; s++)
		fputc((unsigned char)*s < 0x20 || (unsigned char)*s >= 0x7f ? '?' : *s, out);
}
