#include "cli/curve.h"
#include <stdint.h>

enum { EIGHTHS = 8, LABEL = 6 };

static const char *const blocks[EIGHTHS + 1] = {" ", "▁", "▂", "▃", "▄",
                                                "▅", "▆", "▇", "█"};

struct scale {
    double least, most;
    int height;
};

/* The mean of the steps that share column c of n_columns. */
static double column(const double *losses, int n, int c, int n_columns)
{
    int from = (int)((int64_t)n * c / n_columns),
        to = (int)((int64_t)n * (c + 1) / n_columns);
    double sum = 0;
    for (int i = from; i < to; i++)
        sum += losses[i];
    return sum / (to - from);
}

/* How many eighths of the cell in row `row` (0: the lowest) are filled. */
static int filled(const struct scale *s, double value, int row)
{
    double up = (value - s->least) / (s->most - s->least) * s->height * EIGHTHS;
    int eighths = (int)(up + 0.5) - row * EIGHTHS;
    if (row == 0 && eighths < 1)
        return 1;
    return eighths < 0 ? 0 : eighths > EIGHTHS ? EIGHTHS : eighths;
}

static void label(const struct scale *s, int row, struct buf *out)
{
    if (row == s->height - 1)
        buf_printf(out, "%*.2f ┤", LABEL, s->most);
    else if (row == 0)
        buf_printf(out, "%*.2f ┤", LABEL, s->least);
    else
        buf_printf(out, "%*s │", LABEL, "");
}

void curve_draw(const double *losses, int n, int width, int height, struct buf *out)
{
    int n_columns = n < width ? n : width;
    int wide = n_columns * 2 <= width ? 2 : 1; /* few steps: two characters each */
    struct scale s = {.height = height};
    for (int c = 0; c < n_columns; c++) {
        double value = column(losses, n, c, n_columns);
        s.most = value > s.most ? value : s.most;
    }
    if (n_columns == 0 || s.most <= 0)
        return;
    for (int row = height - 1; row >= 0; row--) {
        label(&s, row, out);
        for (int c = 0; c < n_columns; c++)
            for (int k = 0; k < wide; k++)
                buf_str(out, blocks[filled(&s, column(losses, n, c, n_columns), row)]);
        buf_char(out, '\n');
    }
    buf_printf(out, "%*s  loss, steps 1 to %d\n", LABEL, "", n);
}

void curve_bar(int done, int total, int width, struct buf *out)
{
    int full = total > 0 ? (int)((int64_t)width * done / total) : 0;
    buf_char(out, '[');
    for (int i = 0; i < width; i++)
        buf_char(out, i < full ? '#' : '.');
    buf_char(out, ']');
}
