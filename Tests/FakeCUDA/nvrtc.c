// The run-time compiler: it reads the kernels' parameter lists, and knows one mistake, the directive #error.
#include "state.h"

const char *nvrtcGetErrorString(nvrtcResult result) {
    return result == NVRTC_ERROR_COMPILATION ? "NVRTC_ERROR_COMPILATION" : "NVRTC_ERROR_OTHER";
}

nvrtcResult nvrtcVersion(int *major, int *minor) {
    ENTER(nvrtcResult, nvrtcVersion);
    *major = fake.compilerMajor;
    *minor = fake.compilerMinor;
    return NVRTC_SUCCESS;
}

static const int architectures[] = {80, 89, 90, 100, 120};

nvrtcResult nvrtcGetNumSupportedArchs(int *count) {
    ENTER(nvrtcResult, nvrtcGetNumSupportedArchs);
    *count = sizeof architectures / sizeof architectures[0];
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetSupportedArchs(int *numbers) {
    ENTER(nvrtcResult, nvrtcGetSupportedArchs);
    memcpy(numbers, architectures, sizeof architectures);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcCreateProgram(
    nvrtcProgram *program, const char *source, const char *name, int headerCount, const char *const *headers,
    const char *const *includeNames) {
    ENTER(nvrtcResult, nvrtcCreateProgram);
    for (int i = 0; i < headerCount; ++i) {
        if (strstr(source, includeNames[i]) == NULL && strstr(headers[i], "#pragma once") == NULL) {
            fake_blame(__func__, "a header that nothing includes");
        }
    }
    object *made = fake_make(PROGRAM, NULL);
    made->text = strdup(source);
    snprintf(made->name, sizeof made->name, "%s", name);
    *program = (nvrtcProgram)made;
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcDestroyProgram(nvrtcProgram *program) {
    ENTER_RELEASE(nvrtcDestroyProgram);
    object *found = fake_find(__func__, *program, PROGRAM);
    if (found == NULL) return NVRTC_ERROR_INTERNAL_ERROR;
    found->isAlive = false;
    *program = NULL;
    return (nvrtcResult)ordered;
}

// The size of a parameter by its declaration; of a structure by the source's `static_assert(sizeof(NAME) == SIZE`.
static int parameter_byte_count(const char *source, const char *start, const char *end) {
    char text[256];
    snprintf(text, sizeof text, "%.*s", (int)(end - start), start);
    if (strchr(text, '*') != NULL || strstr(text, "u64") != NULL || strstr(text, "long long") != NULL) return 8;
    const char *known = "static_assert(sizeof(";
    for (const char *at = source; (at = strstr(at, known)) != NULL;) {
        at += strlen(known);
        char name[128];
        int byteCount;
        if (sscanf(at, "%127[^)]) == %d", name, &byteCount) == 2 && strstr(text, name) != NULL) return byteCount;
    }
    return 4;
}

// Writes a line for each kernel of a source.
static void list_kernels(const char *source, FILE *image, FILE *log) {
    for (const char *at = source; (at = strstr(at, "__global__ void")) != NULL;) {
        at += strlen("__global__ void");
        const char *bounds = strstr(at, "__launch_bounds__");
        const char *open = strchr(at, '(');
        if (bounds != NULL && bounds < open) {
            at = strchr(bounds, ')') + 1;
            open = strchr(at, '(');
        }
        at += strspn(at, " \n");
        fprintf(log, "ptxas info    : Compiling entry function '%.*s' for 'sm_90a'\n", (int)(open - at), at);
        fprintf(log, "    0 bytes stack frame, 0 bytes spill stores, 0 bytes spill loads\n");
        fprintf(log, "ptxas info    : Used 40 registers, used 1 barriers, 1024 bytes smem\n");
        fprintf(image, "\nkernel %.*s ", (int)(open - at), at);
        const char *close = strchr(open, ')');
        for (const char *start = open + 1; start < close;) {
            const char *comma = strchr(start, ',');
            const char *end = comma != NULL && comma < close ? comma : close;
            fprintf(image, "%d ", parameter_byte_count(source, start, end));
            start = end + 1;
        }
        fprintf(image, "\n");
        at = close;
    }
}

nvrtcResult nvrtcCompileProgram(nvrtcProgram handle, int optionCount, const char *const *options) {
    ENTER(nvrtcResult, nvrtcCompileProgram);
    object *program = fake_find(__func__, handle, PROGRAM);
    if (program == NULL) return NVRTC_ERROR_INTERNAL_ERROR;
    size_t byteCount;
    FILE *log = open_memstream(&program->log, &byteCount);
    const char *mistake = strstr(program->text, "#error");
    if (mistake != NULL) {
        fprintf(log, "%s: error: %s\n", program->name, mistake);
        fclose(log);
        return NVRTC_ERROR_COMPILATION;
    }
    FILE *image = open_memstream(&program->image, &byteCount);
    fprintf(image, "FAKECUBIN");
    for (int i = 0; i < optionCount; ++i) fprintf(image, " %s", options[i]);
    list_kernels(program->text, image, log);
    fclose(image);
    fclose(log);
    return NVRTC_SUCCESS;
}

static nvrtcResult size_of(const char *call, nvrtcProgram handle, bool isLog, size_t *byteCount) {
    object *program = fake_find(call, handle, PROGRAM);
    if (program == NULL) return NVRTC_ERROR_INTERNAL_ERROR;
    const char *text = isLog ? program->log : program->image;
    *byteCount = text == NULL ? 1 : strlen(text) + 1;
    return NVRTC_SUCCESS;
}

static nvrtcResult text_of(const char *call, nvrtcProgram handle, bool isLog, char *bytes) {
    object *program = fake_find(call, handle, PROGRAM);
    if (program == NULL) return NVRTC_ERROR_INTERNAL_ERROR;
    const char *text = isLog ? program->log : program->image;
    strcpy(bytes, text == NULL ? "" : text);
    return NVRTC_SUCCESS;
}

nvrtcResult nvrtcGetCUBINSize(nvrtcProgram program, size_t *byteCount) {
    ENTER(nvrtcResult, nvrtcGetCUBINSize);
    return size_of(__func__, program, false, byteCount);
}

nvrtcResult nvrtcGetCUBIN(nvrtcProgram program, char *cubin) {
    ENTER(nvrtcResult, nvrtcGetCUBIN);
    return text_of(__func__, program, false, cubin);
}

nvrtcResult nvrtcGetProgramLogSize(nvrtcProgram program, size_t *byteCount) {
    ENTER(nvrtcResult, nvrtcGetProgramLogSize);
    return size_of(__func__, program, true, byteCount);
}

nvrtcResult nvrtcGetProgramLog(nvrtcProgram program, char *log) {
    ENTER(nvrtcResult, nvrtcGetProgramLog);
    return text_of(__func__, program, true, log);
}
